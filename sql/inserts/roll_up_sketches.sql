-- {day:Date}: of ingestion; {hours:Array(UInt32)}: epoch seconds
-- A t-digest of these hours of every series, from that day's points.
INSERT INTO sketches (series, start, day, count, digest)
SELECT series, toStartOfHour(toDateTime(time)) AS hour, {day:Date}, count(), quantileTDigestState(value)
FROM points FINAL
WHERE day = {day:Date} AND toUnixTimestamp(hour) IN {hours:Array(UInt32)}
GROUP BY series, hour
