-- Errors jump, and within ten minutes visitors stay away. `value`: views now / views before.
-- over: minutes
-- back: 30 minutes
SELECT `value`
FROM minutes
MATCH_RECOGNIZE (
    ORDER BY rowtime
    MEASURES AVG(quiet.view_count) / AVG(usual.view_count) AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (usual{5} spike other{0,10}? quiet{2}) WITHIN INTERVAL '20' MINUTE
    DEFINE
        usual AS usual.view_count >= 5,
        spike AS spike.error_count >= 10 AND spike.error_count >= 3 * AVG(usual.error_count),
        quiet AS quiet.view_count <= 0.6 * AVG(usual.view_count)
)
