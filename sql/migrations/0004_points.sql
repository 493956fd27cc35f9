-- Every point as it came in, known by its place in the log (topic_id, partition, offset, line). What a series is called
-- stands in `point_series`.
CREATE TABLE IF NOT EXISTS points
(
    series UInt64 CODEC(ZSTD),
    time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    value Float64 CODEC(ZSTD),
    topic_id UUID CODEC(ZSTD),
    partition UInt16 CODEC(ZSTD),
    offset Int64 CODEC(Delta, ZSTD),
    line Int32 CODEC(Delta, ZSTD),
    day Date CODEC(ZSTD)  -- of ingestion: the record says it, so a replay writes to the same partition of the table
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (series, time, topic_id, partition, offset, line)
SETTINGS ttl_only_drop_parts = 1
