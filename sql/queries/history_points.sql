-- The bins of some series of points, from what the blocks of the log add to them.
-- {series:Array(UInt64)}: their ids; {resolution:UInt16}: seconds; {from:UInt32} {to:UInt32}: epoch seconds, half open.
-- A row: series, begin in epoch seconds, sum and mean of its points; by series and begin.
SELECT series, toInt64(toUnixTimestamp(start)) AS second, sum(bins.sum) AS total, total / sum(bins.count) AS mean
FROM bins FINAL
WHERE resolution = {resolution:UInt16} AND series IN {series:Array(UInt64)}
  AND start >= toDateTime({from:UInt32}, 'UTC') AND start < toDateTime({to:UInt32}, 'UTC')
GROUP BY series, second
ORDER BY series, second
SETTINGS do_not_merge_across_partitions_select_final = 1
