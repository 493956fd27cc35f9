-- A quantile of a metric over time, exact, from its points as they came.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}
-- {end:UInt32}: epoch seconds; {starts:Array(UInt32)}: when slots begin; {group_by:Array(String)}: labels.
-- A row: values of these labels, start of the slot, count, the quantile {level:Float64} (0 to 1).
SELECT
    arrayMap(key -> named.labels[key], {group_by:Array(String)}) AS label_values,
    roundDown(toUnixTimestamp(points.time), {starts:Array(UInt32)}) AS slot,
    count(), quantileExactInclusive({level:Float64})(value)
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
