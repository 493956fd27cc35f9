-- The hours (epoch seconds) to which bins came since rollups were made, or in the 60 s before that (see `stores.rollups`).
SELECT DISTINCT toUnixTimestamp(hour)
FROM touched_hours
WHERE written >= (SELECT max(through) - toIntervalSecond(60) FROM rollup_runs)
