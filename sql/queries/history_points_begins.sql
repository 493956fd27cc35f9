-- When some series of points had their first bins.
-- {series:Array(UInt64)}: their ids; {resolution:UInt16}: seconds; {from:UInt32} {to:UInt32}: epoch seconds, half open.
-- A row: series, its first begin in epoch seconds.
SELECT series, toInt64(toUnixTimestamp(min(start))) AS second
FROM bins
WHERE resolution = {resolution:UInt16} AND series IN {series:Array(UInt64)}
  AND start >= toDateTime({from:UInt32}, 'UTC') AND start < toDateTime({to:UInt32}, 'UTC')
GROUP BY series
