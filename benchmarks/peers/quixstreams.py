"""Quix Streams: RocksDB with a changelog topic, checkpoints every 5 s, at-least-once, which are its defaults.

Windows are given out as they stand (`current`), as ours are readable while they are open.
"""

from typing import Any

from quixstreams import Application, MessageContext, State, message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.dataframe.windows import Count, Sum

from benchmarks.peers.task import MINUTE_MS, Found, no_lists, read, remember, tell


def main() -> None:
    """One process, one thread of Python."""
    task = read()
    app = Application(
        broker_address=task.broker,
        consumer_group=f"quixstreams-{task.topic}-{task.run}",
        auto_offset_reset="earliest",
        state_dir=task.folder,
        loglevel="WARNING",
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
    )
    stream = app.dataframe(app.topic(task.topic, key_deserializer="str"))
    answers = _aggregate(stream) if task.kind == "aggregate" else _profiles(stream)
    app.run(count=task.events, collect=False)
    found = Found()
    for count, price in answers.values():
        found.add(count, price)
    tell(found)


def _aggregate(stream: StreamingDataFrame) -> dict[Any, tuple[int, int]]:
    """By group and minute, as given out last."""
    latest: dict[Any, tuple[int, int]] = {}

    def keep(window: Any, key: Any, *_: Any) -> None:
        latest[key, window["start"]] = (window["count"], window["price"])

    prices = stream.apply(lambda tag: tag["product_info"]["price"])
    windows = prices.tumbling_window(MINUTE_MS).agg(count=Count(), price=Sum()).current()
    windows.update(keep, metadata=True)
    return latest


def _profiles(stream: StreamingDataFrame) -> dict[Any, tuple[int, int]]:
    """By cookie and list, as given out last."""
    latest: dict[Any, tuple[int, int]] = {}

    def update(tag: Any, key: Any, timestamp: int, _: Any, state: State) -> Any:
        context: MessageContext = message_context()
        lists = state.get("lists") or no_lists()
        remember(lists, timestamp, f"{context.partition}-{context.offset}", tag)
        state.set("lists", lists)
        for kind, entries in lists.items():
            if entries:
                latest[key, kind] = (len(entries), sum(entry[-1]["product_info"]["price"] for entry in entries))
        return tag

    stream.apply(update, stateful=True, metadata=True)
    return latest


if __name__ == "__main__":
    main()
