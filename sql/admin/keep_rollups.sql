-- Rows go by the clock's time of ingestion, never by event time, which may lie years back.
-- {hour_days:UInt32} {day_days:UInt32} {week_days:UInt32} {month_days:UInt32}: by period
ALTER TABLE rollups MODIFY TTL day + toIntervalDay(multiIf(
    period = 'hour', {hour_days:UInt32}, period = 'day', {day_days:UInt32}, period = 'week', {week_days:UInt32}, {month_days:UInt32}))
