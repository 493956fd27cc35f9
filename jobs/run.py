"""Runs a job: arguments, settings, environment, `build`, submission. The `main()` of every job is this."""

import argparse
from collections.abc import Callable
from uuid import UUID

from pyflink.datastream import StreamExecutionEnvironment

from contracts import settings as configuration
from contracts.settings import Settings
from jobs.flink import Source
from jobs.starts import block_starts

Build = Callable[[StreamExecutionEnvironment, Settings, Source], None]


def run(name: str, build: Build) -> None:
    """Builds the job over the user tags and submits it under `name`.

    How it runs (checkpoints, restarts, memory) is the cluster's configuration.
    """
    arguments = _arguments(name)
    settings = configuration.load()
    topic = settings.topics.user_tags
    topic_id = UUID(dict(pair.split("=", 1) for pair in arguments.topic_id)[topic.name])
    start = block_starts(settings, topic_id) if arguments.start == "blocks" else {}
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(settings.flink.parallelism)
    env.set_max_parallelism(settings.flink.max_parallelism)
    build(env, settings, Source(topic, topic_id, start))
    env.execute(name)


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=name, description="Submitted by `tidewatch deploy`, through `flink run -pym`."
    )
    parser.add_argument("--topic-id", action="append", required=True, metavar="TOPIC=UUID", help="as Kafka knows it")
    parser.add_argument("--start", choices=["earliest", "blocks"], default="earliest", help="without a checkpoint")
    return parser.parse_args()
