-- {topic_id:UUID}
-- By partition, the newest listed block that holds the last archived offset or begins before it. A listed block says
-- that the rows of all blocks before it were written; the archive holds a partition up to some offset without gaps.
SELECT partition, max(block)
FROM blocks
INNER JOIN
(
    SELECT partition, max(offset) AS archived
    FROM user_tags
    WHERE topic_id = {topic_id:UUID}
    GROUP BY partition
) AS archive USING (partition)
WHERE topic_id = {topic_id:UUID} AND block <= archived
GROUP BY partition
