-- Views, buys or revenue over time, from the aggregates of a minute. The labels are origin, brand and category.
-- {action:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}
-- {end:UInt32}: epoch seconds; {starts:Array(UInt32)}: when slots begin; {group_by:Array(String)}: labels.
-- A row: values of these labels, start of the slot, count, sum of price.
WITH map('origin', toString(origin), 'brand', toString(brand_id), 'category', toString(category_id)) AS labels
SELECT
    arrayMap(key -> labels[key], {group_by:Array(String)}) AS label_values,
    roundDown(toUnixTimestamp(minute), {starts:Array(UInt32)}) AS slot,
    sum(count), sum(sum_price)
FROM aggregates_1m FINAL
WHERE action = {action:String}
  AND minute >= toDateTime({begin:UInt32}, 'UTC') AND minute < toDateTime({end:UInt32}, 'UTC')
  AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
GROUP BY label_values, slot
ORDER BY label_values, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
