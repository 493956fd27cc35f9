-- {topic_id:UUID} {partition:UInt16} {first:Int64} {last:Int64}
-- The rows of the blocks that start within [first, last], counted anew from the archive: the same keys, and as version
-- the last offset that added to the group, as the job writes them. A block ends where the next one begins; the newest at
-- the offset that its listing names, as the job goes on with it meanwhile.
INSERT INTO aggregates_1m
    (minute, action, origin, brand_id, category_id, topic_id, partition, block, version, count, sum_price, ingested)
SELECT
    toDateTime(toStartOfMinute(events.time), 'UTC') AS minute,
    events.action, events.origin, events.brand_id, events.category_id,
    {topic_id:UUID}, {partition:UInt16},
    blocks.block AS block,
    max(events.offset), count(), sum(toInt64(events.price)),
    any(blocks.ingested)
FROM
(
    SELECT partition, offset, time, action, origin, brand_id, category_id, price
    FROM user_tags FINAL
    WHERE topic_id = {topic_id:UUID} AND partition = {partition:UInt16} AND offset >= {first:Int64}
) AS events
ASOF INNER JOIN
(
    SELECT
        partition, block, ingested,
        -- The first offset of the next block; 0, the default beyond the window, for the newest one.
        leadInFrame(block) OVER (ORDER BY block ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS next,
        if(next > block, next - 1, last_offset) AS last
    FROM blocks FINAL
    WHERE topic_id = {topic_id:UUID} AND partition = {partition:UInt16}
) AS blocks
    ON events.partition = blocks.partition AND events.offset >= blocks.block
WHERE events.offset <= blocks.last AND blocks.block BETWEEN {first:Int64} AND {last:Int64}
GROUP BY minute, events.action, events.origin, events.brand_id, events.category_id, block
