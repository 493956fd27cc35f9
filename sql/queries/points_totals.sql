-- How many points are kept, how many the bins of a minute count, and how many blocks are listed.
SELECT
    (SELECT count() FROM points FINAL) AS archived,
    (SELECT sum(count) FROM bins FINAL WHERE resolution = 60) AS counted,
    (SELECT count() FROM point_blocks FINAL) AS blocks
