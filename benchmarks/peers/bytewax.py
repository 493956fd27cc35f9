"""Bytewax: recovery store (SQLite) on, a snapshot every 10 s (its default). Ends when the topic does."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers.task import Found, Task, no_lists, read, remember, tell

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
LATENESS = timedelta(seconds=10)


class Last(DynamicSink, StatelessSinkPartition):  # type: ignore[misc]  # not installed where types are checked
    """Keeps the last that was given out by key."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Last":
        return self

    def write_batch(self, items: list[tuple[Any, Any]]) -> None:
        self.values.update(items)


def main() -> None:
    """One process, one worker."""
    task = read()
    decode = msgspec.json.Decoder().decode
    flow = Dataflow(task.kind)
    source = KafkaSource([task.broker], [task.topic], tail=False, batch_size=1000)
    messages = op.input("kafka", flow, source)
    keyed = op.map("decode", messages, lambda message: (message.key.decode(), (message, decode(message.value))))
    last = Last()
    op.output("last", _aggregate(keyed) if task.kind == "aggregate" else _profiles(keyed), last)
    _run(flow, task)
    tell(_found(task, last.values))


def _run(flow: Dataflow, task: Task) -> None:
    init_db_dir(Path(task.folder), 1)
    cli_main(flow, workers_per_process=1, recovery_config=RecoveryConfig(task.folder))


def _aggregate(keyed: KeyedStream) -> KeyedStream:
    """((group, window), (count, price)), given out when the window closes."""
    # The tags are of the past: no window is to be closed by the clock of today.
    clock = EventClock(_time, LATENESS, to_system_utc=lambda _: None)
    windower = TumblingWindower(length=timedelta(minutes=1), align_to=EPOCH)

    def add(sums: tuple[int, int], item: Any) -> tuple[int, int]:
        return sums[0] + 1, sums[1] + item[1]["product_info"]["price"]

    def merge(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        return one[0] + other[0], one[1] + other[1]

    windows = fold_window("minute", keyed, clock, windower, lambda: (0, 0), add, merge, ordered=False)
    return op.map("flat", windows.down, lambda closed: ((closed[0], closed[1][0]), closed[1][1]))


def _time(item: Any) -> datetime:
    return EPOCH + timedelta(milliseconds=item[0].timestamp[1])


def _profiles(keyed: KeyedStream) -> KeyedStream:
    """(cookie, lists), given out with each tag."""

    def update(lists: Any, item: Any) -> tuple[Any, Any]:
        message, tag = item
        lists = lists or no_lists()
        remember(lists, message.timestamp[1], f"{message.partition}-{message.offset}", tag)
        return lists, lists

    return op.stateful_map("profile", keyed, update)


def _found(task: Task, values: dict[Any, Any]) -> Found:
    found = Found()
    for value in values.values():
        if task.kind == "aggregate":
            found.add(*value)
        else:
            for entries in value.values():
                found.add_list(entries)
    return found


if __name__ == "__main__":
    main()
