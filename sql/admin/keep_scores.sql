-- For how many days scores are kept, counted from when they were written. Parameters: days.
ALTER TABLE scores
MODIFY TTL day + toIntervalDay({days:UInt32})
