-- The hours of event time to which bins of a minute came, by day of ingestion, and when that was last: rollups that hold
-- them are made anew, and until then these hours are read from bins.
CREATE TABLE IF NOT EXISTS touched_hours
(
    hour DateTime('UTC'),
    day Date,
    written DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written)
ORDER BY (hour, day)
