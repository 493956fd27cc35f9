-- What the points of one day of ingestion add to an hour, day, week (from Monday) or month of a series; queries add over
-- days of ingestion. A row is a function of that day's bins, which are all dropped together: made again of them it is the
-- same or has more points, and so the one with the most points is the newest.
CREATE TABLE IF NOT EXISTS rollups
(
    period Enum8('hour' = 1, 'day' = 2, 'week' = 3, 'month' = 4),
    series UInt64 CODEC(ZSTD),
    start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    day Date CODEC(ZSTD),
    count UInt64 CODEC(T64, ZSTD),
    sum Float64 CODEC(ZSTD),
    min Float64 CODEC(ZSTD),
    max Float64 CODEC(ZSTD),
    sum_squares Float64 CODEC(ZSTD),
    last Float64 CODEC(ZSTD),
    last_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD)
)
ENGINE = ReplacingMergeTree(count)
PARTITION BY (period, toYYYYMM(day))
ORDER BY (period, series, start, day)
SETTINGS ttl_only_drop_parts = 1
