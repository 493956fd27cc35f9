-- {metrics:Array(String)}: names
-- The series of these metrics.
SELECT DISTINCT metric, kind, labels FROM point_series WHERE metric IN {metrics:Array(String)}
