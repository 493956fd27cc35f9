-- The partitions of the log that the archive holds events of, and how many rows, before duplicates are merged.
SELECT topic_id, partition, count()
FROM user_tags
GROUP BY topic_id, partition
ORDER BY topic_id, partition
