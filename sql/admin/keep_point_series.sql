-- Rows go by the clock's time of ingestion, never by event time, which may lie years back.
-- {days:UInt32}
ALTER TABLE point_series MODIFY TTL seen + toIntervalDay({days:UInt32})
