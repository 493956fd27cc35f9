-- The metrics: name, kinds, how many series each has, the last day on which one had points.
SELECT metric, arraySort(groupUniqArray(toString(kind))) AS kinds, uniqExact(id) AS series, max(seen) AS last_day
FROM point_series
GROUP BY metric
ORDER BY metric
