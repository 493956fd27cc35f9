-- The bins of points as they were published: of ten seconds and of a minute.
-- {begin:UInt32} and {end:UInt32}: epoch seconds, half open, of the begins of the bins.
-- A row: minute in epoch seconds, begin in epoch seconds, metric, labels, kind, resolution in seconds, count, sum, min,
-- max, sum of squares, newest value; by minute.
SELECT
    toUnixTimestamp(toStartOfMinute(bins.start)) AS minute, toUnixTimestamp(bins.start) AS second,
    named.metric, named.labels, named.kind, bins.resolution,
    sum(bins.count), sum(bins.sum), min(bins.min), max(bins.max), sum(bins.sum_squares),
    argMax(bins.last, bins.last_time)
FROM bins FINAL
INNER JOIN (SELECT id, metric, labels, kind FROM point_series FINAL) AS named ON bins.series = named.id
WHERE bins.resolution IN (10, 60)
  AND bins.start >= toDateTime({begin:UInt32}, 'UTC') AND bins.start < toDateTime({end:UInt32}, 'UTC')
GROUP BY minute, second, bins.series, named.metric, named.labels, named.kind, bins.resolution
ORDER BY minute, second, named.metric, bins.series
SETTINGS do_not_merge_across_partitions_select_final = 1
