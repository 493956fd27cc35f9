-- The ids of all dead letters that were sent again.
SELECT DISTINCT id FROM replayed_letters
