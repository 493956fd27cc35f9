"""Runs a job: arguments, settings, environment, `build`, submission. The `main()` of every job is this."""

import argparse
from collections.abc import Callable
from typing import Final
from uuid import UUID

from pyflink.datastream import StreamExecutionEnvironment

from contracts import settings as configuration
from contracts.settings import Settings, Topic
from jobs.flink import Source
from jobs.starts import block_starts

Build = Callable[[StreamExecutionEnvironment, Settings, Source], None]
Starts = Callable[[Settings, UUID], dict[int, int]]
STREAMS: Final[dict[str, Starts]] = {"user_tags": block_starts}  # that are read by blocks, by name in settings.topics


def run(name: str, build: Build, stream: str = "user_tags") -> None:
    """Builds the job over a stream, by its name in the settings' topics, and submits it under `name`.

    How it runs (checkpoints, restarts, memory) is the cluster's configuration, and `infra/flink/options.py`.
    """
    arguments = _arguments(name)
    settings = configuration.load()
    topic: Topic = getattr(settings.topics, stream)
    topic_id = UUID(dict(pair.split("=", 1) for pair in arguments.topic_id)[topic.name])
    start = STREAMS[stream](settings, topic_id) if arguments.start == "blocks" else {}
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
