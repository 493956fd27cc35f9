-- Archive and aggregates side by side, by block, minute and action; yields the rows that differ.
-- `same_groups`: whether origins, brands and categories agree too, by a sum of hashes that wraps.
-- {days:UInt32}: how long the archive is kept; older blocks may have lost events and are left out.
-- Of a partition's newest block only the offsets that its listing names are compared, as both go on meanwhile. All others
-- end where the next one begins, so an archived event that no block counted shows.
SELECT
    topic_id, partition, block, minute, action,
    sum(archived_count) AS archived_count, sum(counted) AS counted,
    sum(archived_price) AS archived_price, sum(counted_price) AS counted_price,
    sum(archived_groups) = sum(counted_groups) AS same_groups
FROM
(
    SELECT
        events.topic_id AS topic_id, events.partition AS partition, blocks.block AS block,
        toDateTime(toStartOfMinute(events.time), 'UTC') AS minute, events.action AS action,
        toInt64(count()) AS archived_count, toInt64(0) AS counted,
        sum(toInt64(events.price)) AS archived_price, toInt64(0) AS counted_price,
        sum(events.`group`) AS archived_groups, toUInt64(0) AS counted_groups
    FROM
    (
        SELECT topic_id, partition, offset, time, action, price, cityHash64(origin, brand_id, category_id) AS `group`
        FROM user_tags FINAL
    ) AS events
    ASOF INNER JOIN
    (
        SELECT
            topic_id, partition, block, ingested,
            -- The first offset of the next block; 0, the default beyond the window, for the newest one.
            leadInFrame(block) OVER (
                PARTITION BY topic_id, partition ORDER BY block ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            ) AS next,
            if(next > block, next - 1, last_offset) AS last
        FROM blocks FINAL
    ) AS blocks
        ON events.topic_id = blocks.topic_id AND events.partition = blocks.partition AND events.offset >= blocks.block
    WHERE events.offset <= blocks.last AND blocks.ingested >= now() - toIntervalDay({days:UInt32})
    GROUP BY topic_id, partition, block, minute, action
    UNION ALL
    SELECT
        topic_id, partition, block, minute, action,
        toInt64(0), toInt64(sum(count)), toInt64(0), sum(sum_price),
        toUInt64(0), sum(cityHash64(origin, brand_id, category_id) * count)
    FROM aggregates_1m FINAL
    WHERE ingested >= now() - toIntervalDay({days:UInt32})
    GROUP BY topic_id, partition, block, minute, action
)
GROUP BY topic_id, partition, block, minute, action
HAVING archived_count != counted OR archived_price != counted_price OR NOT same_groups
ORDER BY topic_id, partition, block, minute, action
