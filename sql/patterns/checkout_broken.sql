-- Views go on as before while buys collapse: the checkout may be broken. `value`: buys now / buys before.
-- over: minutes
-- back: 15 minutes
SELECT `value`
FROM minutes
MATCH_RECOGNIZE (
    ORDER BY rowtime
    MEASURES AVG(broken.buys) / AVG(usual.buys) AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (usual{5} broken{3})
    DEFINE
        usual AS usual.buys >= 5,
        broken AS broken.views >= 0.7 * AVG(usual.views) AND broken.buys <= 0.3 * AVG(usual.buys)
)
