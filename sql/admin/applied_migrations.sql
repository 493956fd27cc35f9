-- The names of the migrations that ran.
SELECT DISTINCT name FROM migrations
