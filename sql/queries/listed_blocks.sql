-- {days:UInt32}: how long the archive is kept.
-- The blocks of the log, by partition, of which the archive still holds every event.
SELECT topic_id, partition, block, last_offset
FROM blocks FINAL
WHERE ingested >= now() - toIntervalDay({days:UInt32})
ORDER BY topic_id, partition, block
