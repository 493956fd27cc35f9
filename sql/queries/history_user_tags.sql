-- The minutes of some series of the user tags, from the counts by blocks. Of labels that are columns there.
-- Parameters: from, to (seconds since the epoch), wanted (pairs of label and its value; both empty: the total).
-- Events come in after they happened, but for minutes by which clocks differ: days of ingestion before are not read.
SELECT
    toInt64(toUnixTimestamp(minute)) AS second,
    toString(pair.1) AS label,
    toString(pair.2) AS label_value,
    toFloat64(sumIf(count, action = 'VIEW')) AS views,
    toFloat64(sumIf(count, action = 'BUY')) AS buys,
    toFloat64(sumIf(sum_price, action = 'BUY')) AS revenue
FROM aggregates_1m FINAL
ARRAY JOIN
    [
        ('', ''),
        ('origin', toString(origin)),
        ('brand', toString(brand_id)),
        ('category', toString(category_id))
    ] AS pair
WHERE minute >= toDateTime({from:UInt32}, 'UTC')
    AND minute < toDateTime({to:UInt32}, 'UTC')
    AND ingested >= toDateTime({from:UInt32}, 'UTC') - INTERVAL 1 HOUR
    AND has({wanted:Array(Tuple(String, String))}, pair)
GROUP BY minute, label, label_value
ORDER BY label, label_value, second
SETTINGS do_not_merge_across_partitions_select_final = 1
