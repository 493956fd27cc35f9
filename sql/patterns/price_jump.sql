-- A product's price changes by a third and more, and ten buys at the new price come within two minutes: is the price right?
-- `value`: new price / old price, that of the buy before, however long ago it was (a day: docs/rules.md#patterns).
-- over: user_tags
-- back: 10 minutes
SELECT product, `value`
FROM (
    SELECT rowtime, product, price, LAG(price) OVER (PARTITION BY product ORDER BY rowtime) AS price_before
    FROM user_tags
    WHERE action = 'BUY' AND price > 0
)
MATCH_RECOGNIZE (
    PARTITION BY product
    ORDER BY rowtime
    MEASURES LAST(jump.price) * 1.0E0 / LAST(jump.price_before) AS `value`
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (jump same{9}) WITHIN INTERVAL '2' MINUTE
    DEFINE
        jump AS jump.price * 3 >= jump.price_before * 4 OR jump.price * 3 <= jump.price_before * 2,
        same AS same.price = LAST(jump.price)
)
