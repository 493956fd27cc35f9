-- When rollups were last made (epoch milliseconds), and the hours (epoch seconds) to which bins came since then, or in the
-- 60 s before that (see `stores.rollups`).
WITH (SELECT max(through) FROM rollup_runs) AS made
SELECT
    toUnixTimestamp64Milli(made),
    (SELECT groupUniqArray(toUnixTimestamp(hour)) FROM touched_hours WHERE written >= made - toIntervalSecond(60))
