"""What aggregates must come out of a stream, counted by numpy while it is made; and what ClickHouse says."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.failed import BenchmarkFailed
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from stores import clickhouse

WRITTEN = """
SELECT toUnixTimestamp(minute) DIV 60 AS at, action, sum(count), sum(sum_price)
FROM aggregates_1m FINAL GROUP BY at, action
"""


class Sums(NamedTuple):
    events: int
    price: int


class Counted:
    """Sums by minute and action."""

    def __init__(self) -> None:
        self.sums: defaultdict[tuple[int, str], Sums] = defaultdict(lambda: Sums(0, 0))

    def add(self, events: pa.RecordBatch) -> None:
        minutes = events.column("time").to_numpy() // MINUTE_MS
        actions = np.array(events.column("action").to_pylist())
        prices = events.column("price").to_numpy().astype(np.int64)
        for minute in np.unique(minutes):
            for action in ("VIEW", "BUY"):
                those = (minutes == minute) & (actions == action)
                before = self.sums[int(minute), action]
                self.sums[int(minute), action] = Sums(
                    before.events + int(those.sum()), before.price + int(prices[those].sum())
                )

    def check(self, settings: Settings) -> None:
        """BenchmarkFailed when the table `aggregates_1m` says otherwise."""
        with clickhouse.connect(settings) as client:
            rows = client.query(WRITTEN).result_rows
        written = {(minute, action): Sums(count, price) for minute, action, count, price in rows}
        wanted = {key: sums for key, sums in self.sums.items() if sums.events}
        if written != wanted:
            wrong = [key for key in wanted.keys() | written.keys() if wanted.get(key) != written.get(key)]
            raise BenchmarkFailed(f"{len(wrong)} of {len(wanted)} minutes and actions are wrong, such as {wrong[0]}")
