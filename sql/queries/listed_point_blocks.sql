-- {days:UInt32}: how long points are kept.
-- The blocks of the log, by partition, of which every point is still kept. A block ends where the next one begins; the
-- newest at the offset that its listing names, as the job goes on with it meanwhile. `ingested`: epoch milliseconds.
SELECT topic_id, partition, block, last, toUnixTimestamp64Milli(ingested)
FROM
(
    SELECT
        topic_id, partition, block, ingested,
        -- The first offset of the next block; 0, the default beyond the window, for the newest one.
        leadInFrame(block) OVER (
            PARTITION BY topic_id, partition ORDER BY block ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next,
        if(next > block, next - 1, last_offset) AS last
    FROM point_blocks FINAL
)
WHERE toDate(ingested) > today() - toIntervalDay({days:UInt32})
ORDER BY topic_id, partition, block
