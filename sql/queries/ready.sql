-- Whether the tables are there and may be read; answers one row.
SELECT count() FROM (SELECT 1 FROM aggregates_1m LIMIT 1)
