-- What the detector said of each closed bin, and what a bin that came again should have been: a row of each, as a bin is
-- scored once. Writing a row again changes nothing. Read it through the view `scores`.
CREATE TABLE IF NOT EXISTS scored_bins
(
    metric LowCardinality(String),
    series UInt64 CODEC(ZSTD),   -- a hash of metric and labels
    labels Map(String, String) CODEC(ZSTD),
    resolution UInt32 CODEC(ZSTD),  -- seconds
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    revised Bool CODEC(ZSTD),    -- the row of a bin that came again: it has no score
    revision Int64 CODEC(ZSTD),
    value Float64 CODEC(ZSTD),
    score Nullable(Float64) CODEC(ZSTD),  -- -log10 of how improbable the bin is; null where nothing is said
    expected Nullable(Float64) CODEC(ZSTD),
    lower Nullable(Float64) CODEC(ZSTD),
    upper Nullable(Float64) CODEC(ZSTD),
    channel LowCardinality(String),
    day Date CODEC(ZSTD)         -- on which it was written
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY day
ORDER BY (metric, series, resolution, start, revised)
SETTINGS ttl_only_drop_parts = 1
