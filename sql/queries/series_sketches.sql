-- About what a quantile of a metric is over time, from the sketches of hours, and the points of hours that have none yet.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}
-- {end:UInt32}: epoch seconds, whole hours; {starts:Array(UInt32)}: when slots begin;
-- {group_by:Array(String)}: labels. A row: values of these labels, start of the slot, count, the quantile {level:Float64} (0 to 1).
WITH
    toDateTime({begin:UInt32}, 'UTC') AS since,
    toDateTime({end:UInt32}, 'UTC') AS until,
    ids AS
    (
        SELECT id FROM point_series
        WHERE metric = {metric:String}
          AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
    )
SELECT
    arrayMap(key -> named.labels[key], {group_by:Array(String)}) AS label_values,
    roundDown(toUnixTimestamp(moment), {starts:Array(UInt32)}) AS slot,
    sum(points), quantileTDigestMerge({level:Float64})(sketch)
FROM
(
    SELECT series, start AS moment, count AS points, digest AS sketch
    FROM sketches FINAL
    WHERE start >= since AND start < until AND series IN ids
    UNION ALL
    SELECT series, toStartOfHour(toDateTime(time)) AS hour, count(), quantileTDigestState(value)
    FROM points FINAL
    WHERE time >= since AND time < until AND series IN ids
      AND (series, toStartOfHour(toDateTime(time)), day) NOT IN
          (SELECT series, start, day FROM sketches WHERE start >= since AND start < until AND series IN ids)
    GROUP BY series, hour
) AS found
INNER JOIN (SELECT id, labels FROM point_series FINAL WHERE metric = {metric:String}) AS named ON found.series = named.id
GROUP BY label_values, slot
ORDER BY label_values, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
