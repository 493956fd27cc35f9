-- What the detector said of closed bins at the time.
-- {begin:UInt32} and {end:UInt32}: epoch seconds, half open, of the begins of the bins.
-- A row: minute in epoch seconds, begin in epoch seconds, metric, labels, resolution in seconds, value, revision, score,
-- expected value; by minute.
SELECT
    toUnixTimestamp(toStartOfMinute(start)) AS minute, toUnixTimestamp(start) AS second, metric, labels, resolution,
    value, revision, score, expected
FROM scores
WHERE start >= toDateTime({begin:UInt32}, 'UTC') AND start < toDateTime({end:UInt32}, 'UTC') AND isNotNull(score)
ORDER BY minute, second, metric, series
