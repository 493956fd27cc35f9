-- The blocks of the log: where each begins, and how far it was read. A start without state begins at a block's start.
CREATE TABLE IF NOT EXISTS blocks
(
    topic_id UUID,
    partition UInt16,
    block Int64,       -- the first offset
    last_offset Int64, -- the last offset read so far
    lines UInt64,
    minute DateTime('UTC'),  -- the minute of the newest event time in it
    ingested DateTime64(3, 'UTC')  -- of its first record
)
ENGINE = ReplacingMergeTree(last_offset)
ORDER BY (topic_id, partition, block)
