-- The shop's minutes, one row each, zero where nothing was: what patterns over series look at.
-- `end` of a bin is its last millisecond; rows without a metric are progress, so that a minute without bins is a row, too.
-- A bin that is sent again finds its minute closed, and is dropped.
SELECT
    window_time AS rowtime,
    COALESCE(MAX(`value`) FILTER (WHERE metric = 'user_tags_views' AND labels = '{}'), 0) AS view_count,
    COALESCE(MAX(`value`) FILTER (WHERE metric = 'user_tags_buys' AND labels = '{}'), 0) AS buy_count,
    COALESCE(MAX(`value`) FILTER (WHERE metric = 'user_tags_revenue' AND labels = '{}'), 0) AS revenue,
    COALESCE(SUM(`value`) FILTER (WHERE metric = 'errors'), 0) AS error_count
FROM TABLE(TUMBLE(TABLE bins, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, window_time
