-- Errors jump, and within ten minutes visitors stay away. `value`: views now / views before.
-- over: minutes
-- back: 30 minutes
SELECT `value`
FROM minutes
MATCH_RECOGNIZE (
    ORDER BY rowtime
    MEASURES AVG(quiet.views) / AVG(usual.views) AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (usual{5} spike other{0,10}? quiet{2}) WITHIN INTERVAL '20' MINUTE
    DEFINE
        usual AS usual.views >= 5,
        spike AS spike.errors >= 10 AND spike.errors >= 3 * AVG(usual.errors),
        quiet AS quiet.views <= 0.6 * AVG(usual.views)
)
