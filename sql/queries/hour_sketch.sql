-- How many points of a metric the sketches of an hour hold, and about what their quantile is.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}: epoch seconds, a
-- whole hour; {level:Float64}: from 0 to 1.
SELECT sum(count), quantileTDigestMerge({level:Float64})(digest)
FROM sketches FINAL
WHERE start = toDateTime({begin:UInt32}, 'UTC')
  AND series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
SETTINGS do_not_merge_across_partitions_select_final = 1
