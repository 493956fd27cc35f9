-- A metric over time, from the bins of a minute.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}
-- {end:UInt32}: epoch seconds; {starts:Array(UInt32)}: when slots begin; {group_by:Array(String)}: labels.
-- A row: values of these labels, start of the slot, count, sum, min, max, sum of squares, newest value.
SELECT
    arrayMap(key -> named.labels[key], {group_by:Array(String)}) AS label_values,
    roundDown(toUnixTimestamp(bins.start), {starts:Array(UInt32)}) AS slot,
    sum(bins.count), sum(bins.sum), min(bins.min), max(bins.max), sum(bins.sum_squares), argMax(bins.last, bins.last_time)
FROM bins FINAL
INNER JOIN (SELECT id, labels FROM point_series FINAL WHERE metric = {metric:String}) AS named ON bins.series = named.id
WHERE bins.resolution = 60
  AND bins.start >= toDateTime({begin:UInt32}, 'UTC') AND bins.start < toDateTime({end:UInt32}, 'UTC')
  AND bins.series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
GROUP BY label_values, slot
ORDER BY label_values, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
