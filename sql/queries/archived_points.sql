-- {topic_id:UUID} {partition:UInt16} {first:Int64} {last:Int64} {day:Date}
-- The points of these offsets, which came in on that day, in the order of the log, as `PLACED_POINT_SCHEMA` names them.
SELECT
    series, toUnixTimestamp64Milli(time) AS time, value, offset, line,
    toInt64(toUnixTimestamp(toDateTime(day, 'UTC'))) * 1000 AS ingested
FROM points FINAL
WHERE topic_id = {topic_id:UUID} AND partition = {partition:UInt16}
  AND offset BETWEEN {first:Int64} AND {last:Int64} AND day = {day:Date}
ORDER BY offset, line
