SELECT DISTINCT name FROM migrations
