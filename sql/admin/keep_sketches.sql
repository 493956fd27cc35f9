-- Rows go by the clock's time of ingestion, never by event time, which may lie years back.
-- {days:UInt32}
ALTER TABLE sketches MODIFY TTL day + toIntervalDay({days:UInt32})
