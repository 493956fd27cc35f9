-- How many points of a metric there were in an hour, and about what their quantile is: from the hour's sketches, and from
-- points that have none yet.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}: epoch seconds, a
-- whole hour; {level:Float64}: from 0 to 1.
WITH
    toDateTime({begin:UInt32}, 'UTC') AS asked,
    ids AS
    (
        SELECT id FROM point_series
        WHERE metric = {metric:String}
          AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
    )
SELECT sum(points), quantileTDigestMerge({level:Float64})(sketch)
FROM
(
    SELECT count AS points, digest AS sketch
    FROM sketches FINAL
    WHERE start = asked AND series IN ids
    UNION ALL
    SELECT count(), quantileTDigestState(value)
    FROM points FINAL
    WHERE time >= asked AND time < asked + 3600 AND series IN ids
      AND (series, day) NOT IN (SELECT series, day FROM sketches WHERE start = asked AND series IN ids)
)
SETTINGS do_not_merge_across_partitions_select_final = 1
