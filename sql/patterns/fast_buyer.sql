-- One cookie buys ten times within ten seconds, faster than any person. `value`: the sum of the prices.
-- over: user_tags
-- back: 1 minute
SELECT cookie, `value`
FROM (SELECT * FROM user_tags WHERE action = 'BUY')
MATCH_RECOGNIZE (
    PARTITION BY cookie
    ORDER BY rowtime
    MEASURES SUM(buy.price) * 1.0E0 AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (buy{10}) WITHIN INTERVAL '10' SECOND
    DEFINE buy AS buy.price >= 0
)
