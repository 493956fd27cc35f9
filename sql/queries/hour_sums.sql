-- What is known of a metric in an hour: count, sum, min, max, sum of squares, newest value.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}: epoch seconds, a
-- whole hour.
-- From rollups, but for what came in since they were made (or 60 s before that, see `stores.rollups`), which bins tell.
WITH
    toDateTime({begin:UInt32}, 'UTC') AS asked,
    (SELECT max(through) - toIntervalSecond(60) FROM rollup_runs) AS known,
    touched AS (SELECT day FROM touched_hours WHERE hour = asked AND written >= known),
    ids AS
    (
        SELECT id FROM point_series
        WHERE metric = {metric:String}
          AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
    )
SELECT sum(points), sum(total), min(least), max(most), sum(squares), argMax(newest, at)
FROM
(
    SELECT count AS points, sum AS total, min AS least, max AS most, sum_squares AS squares, last AS newest, last_time AS at
    FROM rollups FINAL
    WHERE period = 'hour' AND start = asked AND series IN ids AND day NOT IN touched
    UNION ALL
    SELECT count, sum, min, max, sum_squares, last, last_time
    FROM bins FINAL
    WHERE resolution = 60 AND start >= asked AND start < asked + 3600 AND series IN ids AND day IN touched
)
SETTINGS do_not_merge_across_partitions_select_final = 1
