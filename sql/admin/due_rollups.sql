-- The hours (epoch seconds) to which bins came since {since:Int64} (epoch milliseconds), by day of ingestion.
SELECT DISTINCT day, toUnixTimestamp(hour) AS begin
FROM touched_hours
WHERE toUnixTimestamp64Milli(written) >= {since:Int64}
ORDER BY day, begin
