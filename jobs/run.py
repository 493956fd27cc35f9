"""Runs a job: arguments, settings, environment, `build`, submission. The `main()` of every job is this."""

import argparse
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from pyflink.datastream import StreamExecutionEnvironment

from contracts import settings as configuration
from contracts.settings import Settings, Topic
from jobs.flink import Source
from jobs.starts import block_starts, point_block_starts

# Takes the environment, the settings, and a source for each stream that the job reads.
Build = Callable[..., None]
Starts = Callable[[Settings, UUID], dict[int, int]]
STREAMS: Final[dict[str, Starts]] = {
    "user_tags": block_starts,
    "points": point_block_starts,
}  # by name in settings.topics


def run(name: str, build: Build, streams: Sequence[str] = ("user_tags",)) -> None:
    """Builds the job over these of `STREAMS` and submits it under `name`.

    How it runs (checkpoints, restarts, memory) is the cluster's configuration.
    """
    arguments = _arguments(name)
    settings = configuration.load()
    ids = dict(pair.split("=", 1) for pair in arguments.topic_id)
    sources = [_source(settings, stream, ids, arguments.start == "blocks") for stream in streams]
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(settings.flink.parallelism)
    env.set_max_parallelism(settings.flink.max_parallelism)
    build(env, settings, *sources)
    env.execute(name)


def _source(settings: Settings, stream: str, ids: dict[str, str], at_blocks: bool) -> Source:
    topic: Topic = getattr(settings.topics, stream)
    topic_id = UUID(ids[topic.name])
    return Source(topic, topic_id, STREAMS[stream](settings, topic_id) if at_blocks else {})


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=name, description="Submitted by `tidewatch deploy`, through `flink run -pym`."
    )
    parser.add_argument("--topic-id", action="append", required=True, metavar="TOPIC=UUID", help="as Kafka knows it")
    parser.add_argument("--start", choices=["earliest", "blocks"], default="earliest", help="without a checkpoint")
    return parser.parse_args()
