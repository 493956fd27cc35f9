-- Dead letters that were sent again, by the letter's id: `tidewatch replay` does not offer them any more.
CREATE TABLE IF NOT EXISTS replayed_letters
(
    id String,
    at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY id
