-- How many events the archive and the aggregates hold, and how many blocks are listed.
SELECT
    (SELECT count() FROM user_tags FINAL) AS archived,
    (SELECT sum(count) FROM aggregates_1m FINAL) AS counted,
    (SELECT count() FROM blocks FINAL) AS blocks
