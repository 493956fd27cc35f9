-- A product's price changes by a third and more, and ten buys at the new price follow within two minutes: is the price
-- right? `value`: new price / old price.
-- over: user_tags
-- back: 10 minutes
SELECT product, `value`
FROM (SELECT * FROM user_tags WHERE action = 'BUY' AND price > 0)
MATCH_RECOGNIZE (
    PARTITION BY product
    ORDER BY rowtime
    MEASURES LAST(jump.price) * 1.0E0 / LAST(usual.price) AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (usual jump same{9}) WITHIN INTERVAL '2' MINUTE
    DEFINE
        jump AS jump.price * 3 >= LAST(usual.price) * 4 OR jump.price * 3 <= LAST(usual.price) * 2,
        same AS same.price = LAST(jump.price)
)
