-- Up to when, by ClickHouse's clock, what came to bins is in the rollups; the highest counts.
CREATE TABLE IF NOT EXISTS rollup_runs
(
    through DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(through)
ORDER BY tuple()
