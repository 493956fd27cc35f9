-- {days:Array(Date)}: days of ingestion that are over, and whose points are kept.
-- Those of their hours (epoch seconds) whose rollups know of more points than their sketches.
SELECT rolled.day AS day, toUnixTimestamp(rolled.start) AS begin
FROM
(
    SELECT day, start, sum(count) AS points
    FROM rollups FINAL
    WHERE period = 'hour' AND day IN {days:Array(Date)}
    GROUP BY day, start
) AS rolled
LEFT JOIN
(
    SELECT day, start, sum(count) AS points
    FROM sketches FINAL
    WHERE day IN {days:Array(Date)}
    GROUP BY day, start
) AS sketched USING (day, start)
WHERE rolled.points > sketched.points
ORDER BY day, begin
SETTINGS do_not_merge_across_partitions_select_final = 1
