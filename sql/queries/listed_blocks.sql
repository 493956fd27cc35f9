-- All blocks of the log, by partition.
SELECT topic_id, partition, block, last_offset
FROM blocks FINAL
ORDER BY topic_id, partition, block
