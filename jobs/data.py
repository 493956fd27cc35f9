"""The Flink job `data`: the pipelines archive, aggregates and profiles over the user tags, as one job.

Run by `flink run -pym jobs.data --topic-id user-tags=UUID`; the settings are read where it is submitted.
"""

import argparse
from uuid import UUID

from pyflink.datastream import StreamExecutionEnvironment

from contracts import settings as configuration
from contracts.names import DATA_JOB
from contracts.settings import Settings
from jobs import aggregates, archive, profiles
from jobs.flink import Source
from jobs.starts import block_starts

PIPELINES = (archive, aggregates, profiles)


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds all pipelines over the user tags to `env`."""
    for pipeline in PIPELINES:
        pipeline.build(env, settings, source)


def environment(settings: Settings) -> StreamExecutionEnvironment:
    """Where the job is built; how it runs (checkpoints, restarts, memory) is the cluster's configuration."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(settings.flink.parallelism)
    env.set_max_parallelism(settings.flink.max_parallelism)
    return env


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topic-id", action="append", default=[], metavar="TOPIC=UUID", required=True)
    parser.add_argument("--start", choices=["earliest", "blocks"], default="earliest", help="without a checkpoint")
    arguments = parser.parse_args()
    settings = configuration.load()
    topic = settings.topics.user_tags
    topic_id = UUID(dict(pair.split("=", 1) for pair in arguments.topic_id)[topic.name])
    start = block_starts(settings, topic_id) if arguments.start == "blocks" else {}
    env = environment(settings)
    build(env, settings, Source(topic, topic_id, start))
    env.execute(DATA_JOB)


if __name__ == "__main__":
    main()
