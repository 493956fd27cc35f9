-- What one block of the log adds to one bin of a series. Queries add over blocks; of a key's rows the one with the
-- highest version counts, so writing a row again, older or newer, changes nothing but for the better.
CREATE TABLE IF NOT EXISTS bins
(
    resolution UInt16,  -- seconds
    series UInt64 CODEC(ZSTD),
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    topic_id UUID CODEC(ZSTD),
    partition UInt16 CODEC(ZSTD),
    block Int64 CODEC(Delta, ZSTD),    -- the first offset of the block
    version Int64 CODEC(Delta, ZSTD),  -- the last offset of the block that added to this row
    count UInt64 CODEC(T64, ZSTD),
    sum Float64 CODEC(ZSTD),
    min Float64 CODEC(ZSTD),
    max Float64 CODEC(ZSTD),
    sum_squares Float64 CODEC(ZSTD),
    last Float64 CODEC(ZSTD),
    last_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    day Date CODEC(ZSTD)  -- of ingestion of the block's first record
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY (resolution, day)
ORDER BY (resolution, series, start, topic_id, partition, block)
SETTINGS ttl_only_drop_parts = 1
