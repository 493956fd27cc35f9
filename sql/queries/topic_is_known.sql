-- Was anything of this topic counted before? 1 or 0.
-- {topic_id:UUID}
SELECT count() > 0 FROM (SELECT 1 FROM blocks WHERE topic_id = {topic_id:UUID} LIMIT 1)
