-- What happened in each minute of a range: (minute in epoch seconds, count, sum of price), minutes without events
-- left out. A key's rows are in one partition of the table, since both go by the block.
-- {begin:UInt32} and {end:UInt32}: epoch seconds, half open. {action:String}.
-- {origin:Nullable(String)}, {brand_id:Nullable(String)}, {category_id:Nullable(String)}: null for all.
SELECT toUnixTimestamp(minute) AS minute_start, sum(count) AS count, sum(sum_price) AS sum_price
FROM aggregates_1m FINAL
WHERE action = {action:String}
  AND minute >= toDateTime({begin:UInt32}, 'UTC')
  AND minute < toDateTime({end:UInt32}, 'UTC')
  AND ({origin:Nullable(String)} IS NULL OR origin = {origin:Nullable(String)})
  AND ({brand_id:Nullable(String)} IS NULL OR brand_id = {brand_id:Nullable(String)})
  AND ({category_id:Nullable(String)} IS NULL OR category_id = {category_id:Nullable(String)})
GROUP BY minute_start
SETTINGS do_not_merge_across_partitions_select_final = 1
