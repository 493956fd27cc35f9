-- {topic_id:UUID} {partition:UInt16}
-- A partition's events as `contracts.events.PLACED_SCHEMA` names them. Repeated rows do no harm to who reads this.
SELECT
    toUnixTimestamp64Milli(time) AS time,
    nullIf(time_text, '') AS time_text,
    cookie,
    toString(country) AS country,
    toString(device) AS device,
    toString(action) AS action,
    toString(origin) AS origin,
    product_id,
    product_id_is_number,
    toString(brand_id) AS brand_id,
    toString(category_id) AS category_id,
    price,
    offset,
    line,
    toUnixTimestamp64Milli(ingested) AS ingested
FROM user_tags
WHERE topic_id = {topic_id:UUID} AND partition = {partition:UInt16}
