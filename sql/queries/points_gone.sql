-- Whether points of a metric in [begin, end) came in before {kept_from:Date}, and so may have been dropped.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32} {end:UInt32}:
-- epoch seconds, whole hours.
SELECT count() > 0
FROM rollups
WHERE period = 'hour' AND day < {kept_from:Date}
  AND start >= toDateTime({begin:UInt32}, 'UTC') AND start < toDateTime({end:UInt32}, 'UTC')
  AND series IN
  (
      SELECT id FROM point_series
      WHERE metric = {metric:String}
        AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
  )
