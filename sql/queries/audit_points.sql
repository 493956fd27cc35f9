-- Points and their bins of a minute side by side, by block and minute; yields the rows that differ.
-- `same_series`: whether they are of the same series, by a sum of ids that wraps.
-- {days:UInt32}: how long points are kept; older blocks may have lost some and are left out.
-- Of a partition's newest block only the offsets that its listing names are compared, as both go on meanwhile. All others
-- end where the next one begins, so a point that no block counted shows.
-- A sum of floats depends on the order in which they are added: two sums of n numbers are apart by at most n times 2^-52
-- times the sum of what they are without their signs, which is compared. Where that is infinite, so may be a sum.
SELECT
    topic_id, partition, block, minute,
    sum(archived_count) AS archived_count, sum(counted) AS counted,
    sum(archived_sum) AS archived_sum, sum(counted_sum) AS counted_sum,
    sum(archived_series) = sum(counted_series) AS same_series
FROM
(
    SELECT
        kept.topic_id AS topic_id, kept.partition AS partition, blocks.block AS block,
        toDateTime(toStartOfMinute(kept.time), 'UTC') AS minute,
        toInt64(count()) AS archived_count, toInt64(0) AS counted,
        sum(kept.value) AS archived_sum, toFloat64(0) AS counted_sum,
        sum(abs(kept.value)) AS sizes,
        sum(kept.series) AS archived_series, toUInt64(0) AS counted_series
    FROM
    (
        SELECT topic_id, partition, offset, time, series, value
        FROM points FINAL
    ) AS kept
    ASOF INNER JOIN
    (
        SELECT
            topic_id, partition, block, ingested,
            -- The first offset of the next block; 0, the default beyond the window, for the newest one.
            leadInFrame(block) OVER (
                PARTITION BY topic_id, partition ORDER BY block ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            ) AS next,
            if(next > block, next - 1, last_offset) AS last
        FROM point_blocks FINAL
    ) AS blocks
        ON kept.topic_id = blocks.topic_id AND kept.partition = blocks.partition AND kept.offset >= blocks.block
    WHERE kept.offset <= blocks.last AND toDate(blocks.ingested) > today() - toIntervalDay({days:UInt32})
    GROUP BY topic_id, partition, block, minute
    UNION ALL
    SELECT
        topic_id, partition, block, start AS minute,
        toInt64(0), toInt64(sum(bins.count)), toFloat64(0), sum(bins.sum),
        toFloat64(0),
        toUInt64(0), sum(series * bins.count)
    FROM bins FINAL
    WHERE resolution = 60 AND day > today() - toIntervalDay({days:UInt32})
    GROUP BY topic_id, partition, block, minute
)
GROUP BY topic_id, partition, block, minute
HAVING
    archived_count != counted OR NOT same_series
    OR (isFinite(sum(sizes)) AND NOT abs(archived_sum - counted_sum) <= archived_count * pow(2, -52) * sum(sizes))
ORDER BY topic_id, partition, block, minute
