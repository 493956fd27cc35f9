-- Views go on as before while buys collapse: the checkout may be broken. `value`: buys now / buys before.
-- over: minutes
-- back: 15 minutes
SELECT `value`
FROM minutes
MATCH_RECOGNIZE (
    ORDER BY rowtime
    MEASURES AVG(broken.buy_count) / AVG(usual.buy_count) AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (usual{5} broken{3})
    DEFINE
        usual AS usual.buy_count >= 5,
        broken AS broken.view_count >= 0.7 * AVG(usual.view_count) AND broken.buy_count <= 0.3 * AVG(usual.buy_count)
)
