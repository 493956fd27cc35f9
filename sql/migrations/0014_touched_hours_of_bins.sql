-- Fills `touched_hours` with each insert into `bins`, whoever makes it. It only notes hours: rollups themselves are rows of
-- their own, which do not go when bins do.
CREATE MATERIALIZED VIEW IF NOT EXISTS touched_hours_of_bins TO touched_hours AS
SELECT toStartOfHour(start) AS hour, day, now64(3, 'UTC') AS written
FROM bins
WHERE resolution = 60
GROUP BY hour, day
