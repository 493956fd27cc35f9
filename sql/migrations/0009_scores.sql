-- What the detector said of each closed bin. A bin is scored once; when it is revised, only its value is written again,
-- and the score's columns are null. Rows of a key are added up: of values that of the highest revision counts, of the
-- rest what is not null. So writing a row again changes nothing. Read with FINAL.
CREATE TABLE IF NOT EXISTS scores
(
    metric LowCardinality(String),
    series UInt64 CODEC(ZSTD),   -- a hash of metric and labels
    labels SimpleAggregateFunction(anyLast, Map(String, String)) CODEC(ZSTD),  -- the same in all rows of a series
    resolution UInt32 CODEC(ZSTD),  -- seconds
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    revised SimpleAggregateFunction(max, Tuple(revision Int64, value Float64)) CODEC(ZSTD),
    score SimpleAggregateFunction(anyLast, Nullable(Float64)) CODEC(ZSTD),  -- -log10 of how improbable it is
    expected SimpleAggregateFunction(anyLast, Nullable(Float64)) CODEC(ZSTD),
    lower SimpleAggregateFunction(anyLast, Nullable(Float64)) CODEC(ZSTD),
    upper SimpleAggregateFunction(anyLast, Nullable(Float64)) CODEC(ZSTD),
    channel SimpleAggregateFunction(max, String) CODEC(ZSTD),
    day Date CODEC(ZSTD)  -- on which it was written
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (metric, series, resolution, start)
SETTINGS ttl_only_drop_parts = 1
