-- A metric over time, from its points as they came: for steps that are no whole minutes.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}
-- {end:UInt32}: epoch seconds; {starts:Array(UInt32)}: when slots begin; {group_by:Array(String)}: labels.
-- A row: values of these labels, start of the slot, count, sum, min, max, sum of squares, newest value.
SELECT
    arrayMap(key -> named.labels[key], {group_by:Array(String)}) AS label_values,
    roundDown(toUnixTimestamp(points.time), {starts:Array(UInt32)}) AS slot,
    count(), sum(value), min(value), max(value), sum(value * value), argMax(value, points.time)
FROM points FINAL
INNER JOIN (SELECT id, labels FROM point_series FINAL WHERE metric = {metric:String}) AS named ON points.series = named.id
WHERE points.time >= toDateTime64({begin:UInt32}, 3, 'UTC') AND points.time < toDateTime64({end:UInt32}, 3, 'UTC')
  AND points.series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
GROUP BY label_values, slot
ORDER BY label_values, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
