-- A metric over time, from rollups of {period:String} (hour, day, week or month), but for what came in since they were
-- made (or 60 s before that, see `stores.rollups`), which bins tell.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32}
-- {end:UInt32}: epoch seconds, at which periods begin; {starts:Array(UInt32)}: when slots begin;
-- {group_by:Array(String)}: labels.
-- A row: values of these labels, start of the slot, count, sum, min, max, sum of squares, newest value.
WITH
    (t -> multiIf(
        {period:String} = 'hour', toStartOfHour(t),
        {period:String} = 'day', toStartOfDay(t),
        {period:String} = 'week', toDateTime(toStartOfWeek(t, 1), 'UTC'),
        toDateTime(toStartOfMonth(t), 'UTC'))) AS begin_of,
    toDateTime({begin:UInt32}, 'UTC') AS since,
    toDateTime({end:UInt32}, 'UTC') AS until,
    (SELECT max(through) - toIntervalSecond(60) FROM rollup_runs) AS known,
    touched AS
    (
        SELECT DISTINCT begin_of(hour) AS start, day
        FROM touched_hours
        WHERE hour >= since AND hour < until AND written >= known
    ),
    ids AS
    (
        SELECT id FROM point_series
        WHERE metric = {metric:String}
          AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
    )
SELECT
    arrayMap(key -> named.labels[key], {group_by:Array(String)}) AS label_values,
    roundDown(toUnixTimestamp(moment), {starts:Array(UInt32)}) AS slot,
    sum(points), sum(total), min(least), max(most), sum(squares), argMax(newest, at)
FROM
(
    SELECT
        series, start AS moment,
        count AS points, sum AS total, min AS least, max AS most, sum_squares AS squares, last AS newest, last_time AS at
    FROM rollups FINAL
    WHERE period = {period:String} AND start >= since AND start < until AND series IN ids
      AND (start, day) NOT IN touched
    UNION ALL
    SELECT series, start, count, sum, min, max, sum_squares, last, last_time
    FROM bins FINAL
    WHERE resolution = 60 AND start >= since AND start < until AND series IN ids
      AND day IN (SELECT day FROM touched) AND (begin_of(start), day) IN touched
) AS found
INNER JOIN (SELECT id, labels FROM point_series FINAL WHERE metric = {metric:String}) AS named ON found.series = named.id
GROUP BY label_values, slot
ORDER BY label_values, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
