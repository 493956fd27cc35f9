"""Names that more than one part must agree on: topics, headers, tables, jobs. Each is written once, here."""

from typing import Final

# Kafka topics: defaults of the settings `topics.….name`, which say what a topic is really called.
USER_TAGS: Final = "user-tags"
POINTS: Final = "points"
SERIES: Final = "series"
RULES: Final = "rules"
ALERTS: Final = "alerts"
DEAD_LETTERS: Final = "dead-letters"

# Kafka record headers.
EVENT_TIME_HEADER: Final = "event-time"  # of a record's newest event, epoch milliseconds, ASCII decimal
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
SCORED_BINS_TABLE: Final = "scored_bins"

# Flink jobs.
DATA_JOB: Final = "data"
DETECTION_JOB: Final = "detection"
PATTERNS_JOB: Final = "patterns"
# Their pipelines, by what they read; the consumer groups are tidewatch-<pipeline>.
DATA_PIPELINES: Final = ("archive", "aggregates", "profiles")
POINT_PIPELINES: Final = ("metrics",)
DETECTION_PIPELINES: Final = ("anomalies",)
TAG_PATTERN_PIPELINES: Final = ("patterns-user_tags",)
MINUTE_PATTERN_PIPELINES: Final = ("patterns-minutes",)

# The metric of what patterns found, one point a match; its label `pattern` is the file's name.
PATTERN_METRIC: Final = "pattern_matches"
# The metric of the alert service's canaries, each a 1.
CANARY_METRIC: Final = "tidewatch_canary"
# Metrics of the platform's own health, sent by the supervisor: their series are watched where no others have room.
OWN_METRICS: Final = (
    "tidewatch_link_ready",
    "tidewatch_part_up",
    "tidewatch_part_restarts",
    "tidewatch_lag_records",
    "tidewatch_freshness_seconds",
    "tidewatch_checkpoint_age_seconds",
    "tidewatch_failed_checkpoints",
    "tidewatch_job_restarts",
    "tidewatch_dead_letter_records",
)
