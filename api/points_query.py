"""What queries about points have in common: which series they mean, and asking ClickHouse."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from api.problems import Problem, invalid, unavailable
from api.services import Services
from api.warehouse import WarehouseUnavailable
from contracts.times import DAY_MS, EPOCH, FUTURE_MS


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


def oldest_day(services: Services, asked: dict[str, Any], now: int) -> date | None:
    """On which day the oldest came in of what `asked` (metric, labels, `begin` and `end`) means; None when nothing did.

    `now`: epoch milliseconds. What is not in the rollups yet is not told of: it came in lately.
    """
    hours_from = kept_from(day_of(now), services.settings.clickhouse.hour_rollups_days)
    found: date | None = ask(services, "oldest_day", {**asked, "hours_from": hours_from})[0][0]
    return found


def are_gone(services: Services, asked: dict[str, Any], days: int, now: int) -> bool:
    """Whether rows of what `asked` means, kept for so many days, may have been dropped by `now`, epoch milliseconds."""
    return may_be_gone(asked["begin"], days, day_of(now), lambda: oldest_day(services, asked, now))


def may_be_gone(begin: int, days: int, today: date, oldest: Callable[[], date | None]) -> bool:
    """The same of rows from `begin` on, epoch seconds, `oldest` telling when the first of them came in. Pure.

    They go by the day on which they came in, which is earlier than when they happened by FUTURE_MS at most.
    """
    first = kept_from(today, days)
    if begin * 1000 - FUTURE_MS >= (first - EPOCH.date()).days * DAY_MS:
        return False
    came = oldest()
    return came is not None and came < first


def day_of(now: int) -> date:
    """Of ingestion: the day of `now`, epoch milliseconds, in UTC."""
    return EPOCH.date() + timedelta(days=now // DAY_MS)


def kept_from(today: date, days: int) -> date:
    """The earliest day of ingestion of which rows that are kept for so many days are there for certain."""
    return today - timedelta(days=days - 1)
