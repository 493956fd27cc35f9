-- By partition of the log, the last offset in the archive and the last one that the aggregates list.
SELECT topic_id, partition, max(archived) AS archived, max(listed) AS listed
FROM
(
    SELECT topic_id, partition, max(offset) AS archived, toInt64(-1) AS listed
    FROM user_tags
    GROUP BY topic_id, partition
    UNION ALL
    SELECT topic_id, partition, toInt64(-1), max(last_offset)
    FROM blocks
    GROUP BY topic_id, partition
)
GROUP BY topic_id, partition
