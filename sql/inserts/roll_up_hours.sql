-- {day:Date}: of ingestion; {hours:Array(UInt32)}: epoch seconds
-- These hours of every series, from that day's bins of a minute.
INSERT INTO rollups (period, series, start, day, count, sum, min, max, sum_squares, last, last_time)
SELECT
    'hour', series, toStartOfHour(start) AS hour, {day:Date},
    sum(bins.count), sum(bins.sum), min(bins.min), max(bins.max), sum(bins.sum_squares),
    argMax(bins.last, bins.last_time), max(bins.last_time)
FROM bins FINAL
WHERE resolution = 60 AND day = {day:Date} AND toUnixTimestamp(toStartOfHour(start)) IN {hours:Array(UInt32)}
GROUP BY series, hour
