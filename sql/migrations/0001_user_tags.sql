-- Every event as it came in: the truth that aggregates and profiles can be rebuilt from.
-- An event is known by its place in the log (topic_id, partition, offset, line); one written twice is one row.
-- The day of ingestion is that of the Kafka record's timestamp, so a replay writes to the same partition of the table.
CREATE TABLE IF NOT EXISTS user_tags
(
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    time_text String CODEC(ZSTD),  -- as it came in; empty when it came as a number
    cookie String CODEC(ZSTD),
    country LowCardinality(String),
    device LowCardinality(String),
    action LowCardinality(String),
    origin LowCardinality(String),
    product_id String CODEC(ZSTD),
    product_id_is_number Bool,
    brand_id LowCardinality(String),
    category_id LowCardinality(String),
    price Int32,
    topic_id UUID,
    partition UInt16,
    offset Int64 CODEC(Delta, ZSTD),
    line Int32,
    ingested DateTime64(3, 'UTC') CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(ingested)
ORDER BY (toStartOfMinute(time), action, origin, topic_id, partition, offset, line)
SETTINGS ttl_only_drop_parts = 1
