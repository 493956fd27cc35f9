-- Which migrations ran, and when.
CREATE TABLE IF NOT EXISTS migrations
(
    name String,
    applied DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY name
