"""What ClickHouse holds of a series' past."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

import sql
from contracts.series import USER_TAG_METRICS

COUNTED_LABELS: Final = frozenset({"", "origin", "brand", "category"})  # the counts have no other; empty: the total
_COLUMNS: Final = dict(zip(USER_TAG_METRICS, ("views", "buys", "revenue"), strict=True))

Past = tuple[NDArray[np.int64], NDArray[np.float64]]  # begins of minutes in epoch milliseconds, rising, and values
Pair = tuple[str, str]  # a label and its value


def label_of(labels: dict[str, str]) -> Pair:
    """The one label of a series of the user tags; both empty for the total's."""
    return next(iter(labels.items()), ("", ""))


def is_counted(metric: str, labels: dict[str, str]) -> bool:
    """Whether `user_tags` knows the past of the series."""
    return metric in _COLUMNS and len(labels) <= 1 and label_of(labels)[0] in COUNTED_LABELS


def user_tags(client: Client, series: Sequence[tuple[str, Pair]], begin: int, end: int) -> list[Past]:
    """The minutes with events within [begin, end) (epoch milliseconds) of each of the series, (metric, label)."""
    wanted = sorted({pair for _, pair in series})
    parameters = {"from": begin // 1000, "to": end // 1000, "wanted": wanted}
    rows = client.query_arrow(sql.read("queries/history_user_tags"), parameters)
    labels = np.array(rows["label"].to_pylist(), object) + "=" + np.array(rows["label_value"].to_pylist(), object)
    milliseconds = rows["second"].to_numpy() * 1000
    found = []
    for metric, pair in series:
        mine = labels == "=".join(pair)
        found.append((milliseconds[mine], rows[_COLUMNS[metric]].to_numpy()[mine]))
    return found
