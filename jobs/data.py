"""The Flink job `data`: the pipelines archive, aggregates and profiles over the user tags, as one job.

Run by `flink run -pym jobs.data --topic-id user-tags=UUID`; the settings are read where it is submitted.
"""

from pyflink.datastream import StreamExecutionEnvironment

from contracts.names import DATA_JOB
from contracts.settings import Settings
from jobs import aggregates, archive, profiles
from jobs.flink import Source
from jobs.run import run

PIPELINES = (archive, aggregates, profiles)


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds all pipelines over the user tags to `env`."""
    for pipeline in PIPELINES:
        pipeline.build(env, settings, source)


def main() -> None:
    run(DATA_JOB, build)


if __name__ == "__main__":
    main()
