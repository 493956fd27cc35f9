-- The values of a label.
-- {label:String}; {metric:Nullable(String)}: null for all metrics.
SELECT DISTINCT labels[{label:String}] AS value
FROM point_series
WHERE mapContains(labels, {label:String})
  AND ({metric:Nullable(String)} IS NULL OR metric = {metric:Nullable(String)})
ORDER BY value
