-- The kinds that series of a metric have; no row when there is no such metric.
-- {metric:String}
SELECT DISTINCT toString(kind) AS kind FROM point_series WHERE metric = {metric:String} ORDER BY kind
