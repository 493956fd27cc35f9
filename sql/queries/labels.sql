-- The labels that series of a metric have, and how many values each has.
-- {metric:Nullable(String)}: null for all metrics.
SELECT label, uniqExact(value) AS number_of_values
FROM point_series
ARRAY JOIN mapKeys(labels) AS label, mapValues(labels) AS value
WHERE {metric:Nullable(String)} IS NULL OR metric = {metric:Nullable(String)}
GROUP BY label
ORDER BY label
