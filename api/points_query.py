"""What queries about points have in common: which series they mean, and asking ClickHouse."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from api.problems import Problem, invalid, unavailable
from api.services import Services
from api.warehouse import WarehouseUnavailable
from contracts.times import DAY_MS, EPOCH


def matches(given: Sequence[str]) -> dict[str, list[str]]:
    """`label:value` texts as parameters `keys` and `values`; Problem 400 names `match`."""
    pairs = [text.partition(":") for text in given]
    for text, (key, separator, value) in zip(given, pairs, strict=True):
        if not (key and separator and value):
            raise invalid("match", f"must be label:value: {text[:40]!r}")
    return {"keys": [key for key, _, _ in pairs], "values": [value for _, _, value in pairs]}


def ask(services: Services, statement: str, parameters: dict[str, Any]) -> list[Sequence[Any]]:
    """The rows of `sql/queries/<statement>.sql`; Problem 503 when ClickHouse does not answer."""
    try:
        return services.warehouse.query(f"queries/{statement}", parameters)
    except WarehouseUnavailable as error:
        raise unavailable(str(error)) from None


def kinds_of(services: Services, metric: str) -> list[str]:
    """The kinds that series of the metric have; Problem 404 when there is no such metric."""
    rows = ask(services, "metric_kinds", {"metric": metric})
    if not rows:
        raise Problem(404, "unknown-metric", f"no metric is called {metric[:200]!r}; /api/v1/metrics lists them")
    return [kind for (kind,) in rows]


def are_gone(services: Services, asked: dict[str, Any], now: int) -> bool:
    """Whether points that `asked` (metric, labels, `begin` and `end`) means may have been dropped by `now`, epoch ms.

    They go by the day on which they came in, which is no earlier than when they happened.
    """
    first = now // DAY_MS - services.settings.clickhouse.points_days + 1
    if asked["begin"] >= first * DAY_MS // 1000:
        return False
    return bool(ask(services, "points_gone", {**asked, "kept_from": EPOCH.date() + timedelta(days=first)})[0][0])
