-- What the detector saw of some series before: quiet bins as zeros, and nothing of times of which nothing was known.
-- {metrics:Array(String)} {series:Array(UInt64)}: of the series; {resolution:UInt32}: seconds; {from:UInt32} {to:UInt32}:
-- epoch seconds, half open. A row: series, begin in epoch seconds, value of the highest revision; by series and begin.
SELECT series, toInt64(toUnixTimestamp(start)) AS second, argMax(scored_bins.value, scored_bins.revision) AS value
FROM scored_bins
WHERE metric IN {metrics:Array(String)} AND series IN {series:Array(UInt64)} AND resolution = {resolution:UInt32}
  AND start >= toDateTime({from:UInt32}, 'UTC') AND start < toDateTime({to:UInt32}, 'UTC')
GROUP BY series, second
ORDER BY series, second
