"""The Flink job `data`: the pipelines archive, aggregates and profiles over the user tags, metrics over points.

Run by `flink run -pym jobs.data --topic-id user-tags=UUID --topic-id points=UUID`; the settings are read where it is
submitted.
"""

from pyflink.datastream import StreamExecutionEnvironment

from contracts.names import DATA_JOB
from contracts.settings import Settings
from jobs import aggregates, archive, metrics, profiles
from jobs.flink import Source
from jobs.run import run

PIPELINES = (archive, aggregates, profiles)


def build(env: StreamExecutionEnvironment, settings: Settings, tags: Source, points: Source) -> None:
    """Adds all pipelines to `env`."""
    for pipeline in PIPELINES:
        pipeline.build(env, settings, tags)
    metrics.build(env, settings, points)


def main() -> None:
    run(DATA_JOB, build, ["user_tags", "points"])


if __name__ == "__main__":
    main()
