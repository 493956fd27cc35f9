-- A t-digest of the points that one day of ingestion adds to an hour of a series: for quantiles once the points are gone.
-- Made when the day is over, versioned like `rollups`.
CREATE TABLE IF NOT EXISTS sketches
(
    series UInt64 CODEC(ZSTD),
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    day Date CODEC(ZSTD),
    count UInt64 CODEC(T64, ZSTD),
    digest AggregateFunction(quantileTDigest, Float64) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(count)
PARTITION BY toYYYYMM(day)
ORDER BY (series, start, day)
SETTINGS ttl_only_drop_parts = 1
