"""Pathway: streaming mode, commits every 1.5 s (its default). Nothing is kept on disk, which needs a licence key.

It groups by the minute as a number: a window without closing behaviour is the same, and costs it more.
"""

import os
from typing import Any

import pathway as pw

from benchmarks.peers.task import KEEP, MINUTE_MS, Found, Task, read, tell


class Tag(pw.Schema):  # type: ignore[misc]  # not installed where types are checked
    """A record. The product's id is a number or text, so the product stays JSON."""

    time: str
    cookie: str
    country: str
    device: str
    action: str
    origin: str
    product_info: pw.Json


def main() -> None:
    """One process, one thread of its engine."""
    task = read()
    settings = {
        "bootstrap.servers": task.broker,
        "group.id": f"pathway-{task.topic}-{task.run}",
        "auto.offset.reset": "earliest",
    }
    tags = pw.io.kafka.read(settings, task.topic, schema=Tag, format="json", with_metadata=True)
    tags = tags.with_columns(at=pw.this._metadata["timestamp_millis"].as_int(unwrap=True))
    answers = _aggregate(tags) if task.kind == "aggregate" else _profiles(tags)
    latest: dict[Any, tuple[int, int]] = {}

    def keep(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            latest[key] = (row["count"], row["price"])
        elif latest.get(key) == (row["count"], row["price"]):
            del latest[key]

    pw.io.subscribe(answers, on_change=keep, on_time_end=lambda time: _end_when_complete(task, latest))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def _aggregate(tags: pw.Table) -> pw.Table:
    rows = tags.select(
        pw.this.action,
        pw.this.origin,
        minute=pw.this.at // MINUTE_MS,
        brand=pw.this.product_info["brand_id"].as_str(unwrap=True),
        category=pw.this.product_info["category_id"].as_str(unwrap=True),
        price=pw.this.product_info["price"].as_int(unwrap=True),
    )
    groups = rows.groupby(rows.minute, rows.action, rows.origin, rows.brand, rows.category)
    return groups.reduce(count=pw.reducers.count(), price=pw.reducers.sum(rows.price))


def _profiles(tags: pw.Table) -> pw.Table:
    """A row a cookie and list."""
    entry = pw.make_tuple(tags.at, tags.time, tags.country, tags.device, tags.origin, tags.product_info)
    lists = tags.groupby(tags.cookie, tags.action).reduce(entries=pw.reducers.sorted_tuple(entry))
    newest = lists.select(entries=pw.apply_with_type(lambda entries: entries[-KEEP:], tuple, lists.entries))
    return newest.select(
        count=pw.apply_with_type(len, int, newest.entries),
        price=pw.apply_with_type(_price, int, newest.entries),
    )


def _price(entries: Any) -> int:
    return sum(int(entry[-1]["price"].as_int()) for entry in entries)


def _end_when_complete(task: Task, latest: dict[Any, tuple[int, int]]) -> None:
    """A streaming read never ends by itself."""
    if sum(count for count, _ in latest.values()) < task.events:
        return
    found = Found()
    for count, price in latest.values():
        found.add(count, price)
    tell(found)
    os._exit(0)


if __name__ == "__main__":
    main()
