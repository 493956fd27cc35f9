-- What one block of the log adds to one minute and group. Queries sum over blocks; of a key's rows the one with
-- the highest version counts, so writing a row again, older or newer, changes nothing but for the better.
CREATE TABLE IF NOT EXISTS aggregates_1m
(
    minute DateTime('UTC'),
    action LowCardinality(String),
    origin LowCardinality(String),
    brand_id LowCardinality(String),
    category_id LowCardinality(String),
    topic_id UUID,
    partition UInt16,
    block Int64,       -- the first offset of the block
    version Int64,     -- the last offset of the block that added to this row
    count UInt64,
    sum_price Int64,
    ingested DateTime64(3, 'UTC')  -- of the block's first record
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(ingested)
ORDER BY (action, minute, origin, brand_id, category_id, topic_id, partition, block)
SETTINGS ttl_only_drop_parts = 1
