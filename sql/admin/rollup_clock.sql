-- ClickHouse's clock, and up to when what came to bins was in the rollups, 0 when never; epoch milliseconds.
SELECT toUnixTimestamp64Milli(now64(3)), toUnixTimestamp64Milli(max(through)) FROM rollup_runs
