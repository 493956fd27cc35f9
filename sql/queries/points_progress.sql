-- By partition of the log of points, the last offset in the archive and the last one that is counted in bins.
SELECT topic_id, partition, max(archived) AS archived, max(listed) AS listed
FROM
(
    SELECT topic_id, partition, max(offset) AS archived, toInt64(-1) AS listed
    FROM points
    GROUP BY topic_id, partition
    UNION ALL
    SELECT topic_id, partition, toInt64(-1), max(last_offset)
    FROM point_blocks
    GROUP BY topic_id, partition
)
GROUP BY topic_id, partition
