-- What the series of points are called: a row a series, written again on each day on which it has points.
CREATE TABLE IF NOT EXISTS point_series
(
    metric String,
    id UInt64,
    kind LowCardinality(String),
    labels Map(String, String),
    seen Date  -- the last day of ingestion
)
ENGINE = ReplacingMergeTree(seen)
ORDER BY (metric, id)
