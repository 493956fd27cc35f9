-- Scores go by the day on which they were written, never by event time, which may lie years back.
-- {days:UInt32}
ALTER TABLE scored_bins MODIFY TTL day + toIntervalDay({days:UInt32})
