-- How many points a metric has in [begin, end), and the value that most of them have, of equally many the smallest.
-- {metric:String}; {keys:Array(String)} {values:Array(String)}: labels that must match; {begin:UInt32} {end:UInt32}:
-- epoch seconds.
SELECT sum(times), argMin(value, (-toInt64(times), value))
FROM
(
    SELECT value, count() AS times
    FROM points FINAL
    WHERE time >= toDateTime64({begin:UInt32}, 3, 'UTC') AND time < toDateTime64({end:UInt32}, 3, 'UTC')
      AND series IN
      (
          SELECT id FROM point_series
          WHERE metric = {metric:String}
            AND arrayAll((key, value) -> labels[key] = value, {keys:Array(String)}, {values:Array(String)})
      )
    GROUP BY value
)
SETTINGS do_not_merge_across_partitions_select_final = 1
