-- Rows go by the clock's time of ingestion, never by event time, which may lie years back.
-- {days:UInt32}: of bins of a minute; {fine_days:UInt32}: of finer ones
ALTER TABLE bins MODIFY TTL day + toIntervalDay(if(resolution < 60, {fine_days:UInt32}, {days:UInt32}))
