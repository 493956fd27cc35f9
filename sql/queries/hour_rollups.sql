-- What rollups know of a metric in an hour: count, sum, min, max, sum of squares, newest value. All there is, if no bins came
-- to the hour since they were made (`touched_hours`); else see `hour_sums`.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}: epoch seconds, a
-- whole hour.
SELECT
    sum(rollups.count), sum(rollups.sum), min(rollups.min), max(rollups.max), sum(rollups.sum_squares),
    argMax(rollups.last, rollups.last_time)
FROM rollups FINAL
WHERE period = 'hour' AND start = toDateTime({begin:UInt32}, 'UTC')
  AND series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
SETTINGS do_not_merge_across_partitions_select_final = 1
