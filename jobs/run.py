"""Runs a job: arguments, settings, environment, `build`, submission. The `main()` of every job is this."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from pyflink.datastream import StreamExecutionEnvironment

from contracts import settings_source
from contracts.settings import Settings, Topic
from jobs.flink import Source
from jobs.starts import STARTS_BY_BLOCKS, recent_starts

# Takes the environment, the settings, and a source for each stream that the job reads.
Build = Callable[..., None]


def run(name: str, build: Build, streams: Sequence[str] = ("user_tags",), back_ms: int = 0) -> None:
    """Builds the job over these topics, by their names in `settings.topics`, and submits it under `name`.

    Without a checkpoint it begins where the arguments say; `back_ms` is how long before the newest event `recent` is.
    How it runs (checkpoints, restarts, memory) is the cluster's configuration, and `infra/flink/options.py`.
    """
    arguments = _arguments(name)
    settings = settings_source.load()
    ids = dict(pair.split("=", 1) for pair in arguments.topic_id)
    starts = partial(_starts, settings, arguments.start, back_ms)
    sources = [_source(settings, stream, ids, starts) for stream in streams]
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(settings.flink.parallelism)
    env.set_max_parallelism(settings.flink.max_parallelism)
    build(env, settings, *sources)
    env.execute(name)


def _source(
    settings: Settings, stream: str, ids: dict[str, str], starts: Callable[[str, Topic, UUID], dict[int, int]]
) -> Source:
    topic: Topic = getattr(settings.topics, stream)
    topic_id = UUID(ids[topic.name])
    return Source(topic, topic_id, starts(stream, topic, topic_id))


def _starts(settings: Settings, start: str, back_ms: int, stream: str, topic: Topic, topic_id: UUID) -> dict[int, int]:
    if start == "recent":
        return recent_starts(settings, topic, back_ms)
    return STARTS_BY_BLOCKS[stream](settings, topic_id) if start == "blocks" else {}


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=name, description="Submitted by `tidewatch deploy`, through `flink run -pym`."
    )
    parser.add_argument("--topic-id", action="append", required=True, metavar="TOPIC=UUID", help="as Kafka knows it")
    parser.add_argument(
        "--start", choices=["earliest", "blocks", "recent"], default="earliest", help="without a checkpoint"
    )
    return parser.parse_args()
