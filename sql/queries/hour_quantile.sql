-- How many points a metric has in [begin, end), and their quantile, linear between neighbours (R-7, as numpy has it).
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32} {end:UInt32}:
-- epoch seconds; {level:Float64}: from 0 to 1.
SELECT count(), quantileExactInclusive({level:Float64})(value)
FROM points FINAL
WHERE time >= toDateTime64({begin:UInt32}, 3, 'UTC') AND time < toDateTime64({end:UInt32}, 3, 'UTC')
  AND series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
SETTINGS do_not_merge_across_partitions_select_final = 1
