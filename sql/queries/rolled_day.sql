-- What rollups know of the hours of a metric's day, a row for each hour, series and day of ingestion.
-- {metric:String}; {begin:UInt32}: epoch seconds, when the day begins; {most:UInt32}: rows.
-- A row: hour (epoch seconds), labels, count, sum, min, max, sum of squares, newest value and its time.
SELECT
    toUnixTimestamp(rollups.start), named.labels, rollups.count, rollups.sum, rollups.min, rollups.max,
    rollups.sum_squares, rollups.last, toUnixTimestamp64Milli(rollups.last_time)
FROM rollups FINAL
INNER JOIN (SELECT id, labels FROM point_series FINAL WHERE metric = {metric:String}) AS named ON rollups.series = named.id
WHERE rollups.period = 'hour'
  AND rollups.start >= toDateTime({begin:UInt32}, 'UTC') AND rollups.start < toDateTime({begin:UInt32} + 86400, 'UTC')
  AND rollups.series IN (SELECT id FROM point_series WHERE metric = {metric:String})
LIMIT {most:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1
