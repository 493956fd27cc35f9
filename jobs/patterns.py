"""The Flink job `patterns`: complex event processing, every statement of `sql/patterns/` over the stream that it names.

Each match becomes a point of the metric `pattern_matches` on topic `points`: from there it is kept, counted, shown and
watched by rules like any other. Flink gives the operators of a statement ids by their place, so a changed set of
statements cannot go on from the former's state: it starts afresh, so far back as its longest match reaches.
"""

from typing import Final

from pyflink.datastream import StreamExecutionEnvironment

from contracts.names import PATTERN_METRIC, PATTERNS_JOB
from contracts.settings import Settings
from jobs.flink import Pipeline, Source
from jobs.pattern_views import VIEWS
from jobs.run import run
from sql import pattern_files
from sql.pattern_files import BadPattern, PatternFile

KEPT_HOURS: Final = 24  # what a statement remembers beyond its matches, such as a product's last price; by the clock
VALUE = "value"  # the column of a statement that becomes the point's value; all others become its labels


def build(env: StreamExecutionEnvironment, settings: Settings, *sources: Source) -> None:
    """Adds all patterns to `env`; `sources` are those of the topics that VIEWS name, in its order."""
    strange = [pattern for pattern in pattern_files.read_all() if pattern.over not in VIEWS]
    if strange:
        raise BadPattern(f"pattern {strange[0].name}: there is no view {strange[0].over}, only {', '.join(VIEWS)}")
    env.set_parallelism(settings.jobs.patterns_parallelism)
    for (name, (_, view)), source in zip(VIEWS.items(), sources, strict=True):
        patterns = [pattern for pattern in pattern_files.read_all() if pattern.over == name]
        if patterns:
            pipeline = Pipeline(env, settings, f"{PATTERNS_JOB}-{name}")
            pipeline.tables.get_config().set("table.exec.state.ttl", f"{KEPT_HOURS} h")
            view(pipeline, source)
            pipeline.insert(matches(pipeline, patterns), settings.topics.points)


def matches(pipeline: Pipeline, patterns: list[PatternFile]) -> str:
    """A query for (key, value) of a record for each match of any of the patterns."""
    return " UNION ALL ".join(_match(pipeline, pattern) for pattern in patterns)


def _match(pipeline: Pipeline, pattern: PatternFile) -> str:
    columns = pipeline.tables.sql_query(pattern.statement).get_schema().get_field_names()
    if VALUE not in columns:
        raise BadPattern(f"sql/patterns/{pattern.name}.sql selects no column `{VALUE}`")
    labels = ["KEY 'pattern' VALUE `pattern`"]
    labels += [f"KEY '{column}' VALUE CAST(`{column}` AS STRING)" for column in columns if column != VALUE]
    series = f"KEY 'name' VALUE '{PATTERN_METRIC}', KEY 'kind' VALUE 'histogram'"
    point = f"{series}, KEY 'labels' VALUE JSON_OBJECT({', '.join(labels)}), KEY 'value' VALUE `{VALUE}`"
    # Statements are files of this checkout and columns are theirs: nothing of a stranger is formatted in.
    named = f"SELECT '{pattern.name}' AS `pattern`, * FROM ({pattern.statement})"  # noqa: S608
    return f"SELECT `pattern` AS `key`, JSON_OBJECT({point}) AS `value` FROM ({named})"  # noqa: S608


def main() -> None:
    back = max(pattern.back_ms for pattern in pattern_files.read_all())
    run(PATTERNS_JOB, build, [topic for topic, _ in VIEWS.values()], back)


if __name__ == "__main__":
    main()
