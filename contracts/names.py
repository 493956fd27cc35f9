"""Names that more than one part must agree on: topics, headers, tables, jobs. Each is written once, here."""

from typing import Final

# Kafka topics: defaults of the settings `topics.….name`, which say what a topic is really called.
USER_TAGS: Final = "user-tags"
SERIES: Final = "series"
ALERTS: Final = "alerts"
DEAD_LETTERS: Final = "dead-letters"

# Kafka record headers.
INGESTED_HEADER: Final = "ingested"  # collector's clock, epoch milliseconds, ASCII decimal

# ClickHouse tables, in the database `settings.clickhouse.database`.
USER_TAGS_TABLE: Final = "user_tags"
AGGREGATES_TABLE: Final = "aggregates_1m"
BLOCKS_TABLE: Final = "blocks"
MIGRATIONS_TABLE: Final = "migrations"
REPLAYED_LETTERS_TABLE: Final = "replayed_letters"
SCORED_BINS_TABLE: Final = "scored_bins"

# Flink jobs.
DATA_JOB: Final = "data"
DATA_PIPELINES: Final = ("archive", "aggregates", "profiles")  # their consumer groups are tidewatch-<pipeline>
DETECTION_JOB: Final = "detection"
DETECTION_PIPELINES: Final = ("anomalies",)
