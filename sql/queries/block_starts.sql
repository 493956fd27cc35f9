-- {blocks:Identifier} {archive:Identifier}: the tables that list blocks and keep what came in them
-- {topic_id:UUID} {days:UInt32}: how long the archive is kept
-- {places:Array(UInt16)} {committed:Array(Int64)}: partitions, and up to where in each the jobs had committed what they
-- read, as far as known
-- By partition, the block to start at without state, and the last offset that its listing names. It is the older of two:
-- The newest listed block that holds the last archived offset or begins before it. A listed block says that the rows of
-- all blocks before it were written; the archive holds a partition up to some offset without gaps. A partition that the
-- archive holds nothing of starts at its newest block when its events may have expired there, else at its first one.
-- And the block before that in which the committed offset lies: dead letters come out with a commit, and those of what an
-- operator still held at that moment with the next one.
WITH mapFromArrays({places:Array(UInt16)}, {committed:Array(Int64)}) AS commits
SELECT
    partition,
    if(known AND by_commit < by_archive, by_commit, by_archive) AS start,
    if(known AND by_commit < by_archive, commit_last, archive_last) AS last
FROM
(
    SELECT
        partition,
        mapContains(commits, partition) AS known,
        maxIf(block, block <= archived_to) AS by_archive,
        argMaxIf(last_offset, block, block <= archived_to) AS archive_last,
        maxIf(former, block <= committed_to) AS by_commit,
        argMaxIf(former_last, block, block <= committed_to) AS commit_last
    FROM
    (
        SELECT
            partition, block, last_offset,
            commits[partition] AS committed_to,
            ifNull(archived, if(max(ingested) OVER all < now() - toIntervalDay({days:UInt32}), max(block) OVER all,
                min(block) OVER all)) AS archived_to,
            lagInFrame(block, 1, block) OVER before AS former,
            lagInFrame(last_offset, 1, last_offset) OVER before AS former_last
        FROM (SELECT partition, block, last_offset, ingested FROM {blocks:Identifier} FINAL WHERE topic_id = {topic_id:UUID}) AS listed
        LEFT JOIN
        (
            SELECT partition, max(offset) AS archived
            FROM {archive:Identifier}
            WHERE topic_id = {topic_id:UUID}
            GROUP BY partition
        ) AS archive USING (partition)
        WINDOW
            all AS (PARTITION BY partition),
            before AS (PARTITION BY partition ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        SETTINGS join_use_nulls = 1
    )
    GROUP BY partition
    HAVING countIf(block <= archived_to) > 0 AND (NOT known OR countIf(block <= committed_to) > 0)
)
