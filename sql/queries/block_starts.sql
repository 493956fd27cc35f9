-- {topic_id:UUID} {days:UInt32}: how long the archive is kept
-- By partition, the newest listed block that holds the last archived offset or begins before it, and the last offset
-- that its listing names. A listed block says that the rows of all blocks before it were written; the archive holds a
-- partition up to some offset without gaps. A partition that the archive holds nothing of starts at its newest block
-- when its events may have expired there, else at its first one.
SELECT partition, argMax(block, block) AS start, argMax(last_offset, block) AS last
FROM
(
    SELECT
        partition, block, last_offset, archived,
        max(block) OVER (PARTITION BY partition) AS newest,
        min(block) OVER (PARTITION BY partition) AS oldest,
        max(ingested) OVER (PARTITION BY partition) < now() - toIntervalDay({days:UInt32}) AS expired
    FROM (SELECT partition, block, last_offset, ingested FROM blocks FINAL WHERE topic_id = {topic_id:UUID}) AS listed
    LEFT JOIN
    (
        SELECT partition, max(offset) AS archived
        FROM user_tags
        WHERE topic_id = {topic_id:UUID}
        GROUP BY partition
    ) AS archive USING (partition)
    SETTINGS join_use_nulls = 1
)
WHERE block <= ifNull(archived, if(expired, newest, oldest))
GROUP BY partition
