-- How often each code of errors came from each build, from the bins of a second.
-- {begin:UInt32} {end:UInt32}: epoch seconds; {step:UInt32}: seconds a slot, from `begin` on.
SELECT
    named.labels['code'] AS code,
    intDiv(toUnixTimestamp(bins.start) - {begin:UInt32}, {step:UInt32}) AS slot,
    named.labels['build'] AS build,
    sum(bins.sum)
FROM bins FINAL
INNER JOIN (SELECT id, labels FROM point_series FINAL WHERE metric = 'errors') AS named ON bins.series = named.id
WHERE bins.resolution = 1
  AND bins.start >= toDateTime({begin:UInt32}, 'UTC') AND bins.start < toDateTime({end:UInt32}, 'UTC')
  AND bins.series IN (SELECT id FROM point_series WHERE metric = 'errors')
GROUP BY code, slot, build
ORDER BY code, slot, build
SETTINGS do_not_merge_across_partitions_select_final = 1
