"""Names that more than one part must agree on: topics, headers, tables, jobs. Each is written once, here."""

from typing import Final

# Kafka topics: defaults of the settings `topics.….name`, which say what a topic is really called.
USER_TAGS: Final = "user-tags"
POINTS: Final = "points"
SERIES: Final = "series"
ALERTS: Final = "alerts"
DEAD_LETTERS: Final = "dead-letters"

# Kafka record headers.
INGESTED_HEADER: Final = "ingested"  # collector's clock, epoch milliseconds, ASCII decimal
ONCE_HEADER: Final = "idempotency-key"  # of a record that counts once, however often it is sent within a day

# ClickHouse tables, in the database `settings.clickhouse.database`.
USER_TAGS_TABLE: Final = "user_tags"
POINTS_TABLE: Final = "points"
POINT_SERIES_TABLE: Final = "point_series"
BINS_TABLE: Final = "bins"
POINT_BLOCKS_TABLE: Final = "point_blocks"
AGGREGATES_TABLE: Final = "aggregates_1m"
BLOCKS_TABLE: Final = "blocks"
MIGRATIONS_TABLE: Final = "migrations"
REPLAYED_LETTERS_TABLE: Final = "replayed_letters"

# Flink jobs.
DATA_JOB: Final = "data"
# Pipelines over user tags, and over points; their consumer groups are tidewatch-<pipeline>.
DATA_PIPELINES: Final = ("archive", "aggregates", "profiles")
POINT_PIPELINES: Final = ("metrics",)
