-- What the bins of a minute say of a metric in [begin, end): count, sum, min, max, sum of squares, newest value.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32} {end:UInt32}:
-- epoch seconds, whole minutes.
SELECT sum(bins.count), sum(bins.sum), min(bins.min), max(bins.max), sum(bins.sum_squares), argMax(last, last_time)
FROM bins FINAL
WHERE resolution = 60
  AND start >= toDateTime({begin:UInt32}, 'UTC') AND start < toDateTime({end:UInt32}, 'UTC')
  AND series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
SETTINGS do_not_merge_across_partitions_select_final = 1
