-- The day on which the oldest came in of what is known of a metric in [begin, end); null when nothing is.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32} {end:UInt32}:
-- epoch seconds; {hours_from:Date}: rollups of hours that came in earlier are dropped, those of months tell of them.
SELECT minOrNull(day)
FROM rollups
WHERE start < toDateTime({end:UInt32}, 'UTC')
  AND
  (
      (period = 'hour' AND start >= toStartOfHour(toDateTime({begin:UInt32}, 'UTC')))
      OR
      (period = 'month' AND day < {hours_from:Date} AND start >= toStartOfMonth(toDateTime({begin:UInt32}, 'UTC')))
  )
  AND series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
