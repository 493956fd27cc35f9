-- An hour that was touched so long ago is in the rollups, or its bins are gone.
-- {days:UInt32}
ALTER TABLE touched_hours MODIFY TTL toDateTime(written) + toIntervalDay({days:UInt32})
