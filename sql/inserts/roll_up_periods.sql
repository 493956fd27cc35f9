-- {day:Date}: of ingestion; {hours:Array(UInt32)}: epoch seconds; {period:String} is made from {shorter:String}
-- The days, weeks or months of every series that hold these hours, from that day's rollups of a shorter period.
INSERT INTO rollups (period, series, start, day, count, sum, min, max, sum_squares, last, last_time)
WITH
    (t -> multiIf(
        {period:String} = 'day', toStartOfDay(t),
        {period:String} = 'week', toDateTime(toStartOfWeek(t, 1), 'UTC'),
        toDateTime(toStartOfMonth(t), 'UTC'))) AS begin_of
SELECT
    {period:String}, series, begin_of(start) AS begin, {day:Date},
    sum(rollups.count), sum(rollups.sum), min(rollups.min), max(rollups.max), sum(rollups.sum_squares),
    argMax(rollups.last, rollups.last_time), max(rollups.last_time)
FROM rollups FINAL
WHERE period = {shorter:String} AND day = {day:Date}
  AND begin IN (SELECT begin_of(toDateTime(arrayJoin({hours:Array(UInt32)}), 'UTC')))
GROUP BY series, begin
