-- A row a closed bin: its value, which is that of the highest revision, and what was said of it when it was closed.
CREATE VIEW IF NOT EXISTS scores AS
SELECT
    metric,
    series,
    any(labels) AS labels,
    resolution,
    start,
    argMax(scored_bins.value, scored_bins.revision) AS value,
    max(scored_bins.revision) AS revision,
    any(scored_bins.score) AS score,
    any(scored_bins.expected) AS expected,
    any(scored_bins.lower) AS lower,
    any(scored_bins.upper) AS upper,
    max(scored_bins.channel) AS channel
FROM scored_bins FINAL
GROUP BY metric, series, resolution, start
