-- The blocks of the log of points, as `blocks` lists those of the user tags.
CREATE TABLE IF NOT EXISTS point_blocks
(
    topic_id UUID,
    partition UInt16,
    block Int64,       -- the first offset
    last_offset Int64, -- the last offset read so far
    lines UInt64,
    minute DateTime('UTC'),  -- of the first record's event time
    ingested DateTime64(3, 'UTC')  -- of its first record
)
ENGINE = ReplacingMergeTree(last_offset)
ORDER BY (topic_id, partition, block)
