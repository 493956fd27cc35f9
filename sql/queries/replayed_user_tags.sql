-- The user-tag series out of the archive: views, buys and revenue of each minute, in total and by each label.
-- {begin:UInt32} and {end:UInt32}: epoch seconds, half open.
-- A row: minute in epoch seconds, label (empty: the total), its value, views, buys, revenue; by minute.
SELECT
    toUnixTimestamp(toStartOfMinute(time)) AS minute, label.1 AS name, label.2 AS value,
    countIf(action = 'VIEW') AS views, countIf(action = 'BUY') AS buys, sumIf(toInt64(price), action = 'BUY') AS revenue
FROM user_tags FINAL
ARRAY JOIN
[
    ('', ''), ('country', toString(country)), ('device', toString(device)), ('origin', toString(origin)),
    ('brand', toString(brand_id)), ('category', toString(category_id))
] AS label
WHERE time >= toDateTime64({begin:UInt32}, 3, 'UTC') AND time < toDateTime64({end:UInt32}, 3, 'UTC')
GROUP BY minute, name, value
ORDER BY minute, name, value
SETTINGS do_not_merge_across_partitions_select_final = 1
