-- When the detector saw some series first.
-- {metrics:Array(String)} {series:Array(UInt64)}: of the series; {resolution:UInt32}: seconds; {from:UInt32} {to:UInt32}:
-- epoch seconds, half open. A row: series, its first begin in epoch seconds.
SELECT series, toInt64(toUnixTimestamp(min(start))) AS second
FROM scored_bins
WHERE metric IN {metrics:Array(String)} AND series IN {series:Array(UInt64)} AND resolution = {resolution:UInt32}
  AND start >= toDateTime({from:UInt32}, 'UTC') AND start < toDateTime({to:UInt32}, 'UTC')
GROUP BY series
