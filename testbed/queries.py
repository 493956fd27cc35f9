"""The two queries of the contract, and how they are written as HTTP request targets. Pure."""

from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

MINUTE_MS: Final = 60_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class ProfileQuery(NamedTuple):
    """The newest `limit` views and buys of a cookie with `begin <= time < end` (epoch milliseconds)."""

    cookie: str
    begin: int
    end: int
    limit: int = 200

    def target(self) -> str:
        parameters = urlencode({"time_range": time_range(self.begin, self.end), "limit": self.limit})
        return f"/user_profiles/{quote(self.cookie, safe='')}?{parameters}"


class AggregateQuery(NamedTuple):
    """Sums by minute over `begin <= time < end`, whole minutes (epoch milliseconds); None: no filter."""

    begin: int
    end: int
    action: str
    aggregates: tuple[str, ...]
    origin: str | None = None
    brand_id: str | None = None
    category_id: str | None = None

    def target(self) -> str:
        parameters = [("time_range", time_range(self.begin, self.end)), ("action", self.action)]
        parameters += [("aggregates", name) for name in self.aggregates]
        parameters += self.filters()
        return f"/aggregates?{urlencode(parameters)}"

    def filters(self) -> list[tuple[str, str]]:
        """The filters given, in the contract's order of columns."""
        given = (("origin", self.origin), ("brand_id", self.brand_id), ("category_id", self.category_id))
        return [(name, value) for name, value in given if value is not None]


def time_range(begin: int, end: int) -> str:
    """`<from>_<to>`; whole seconds are written without a fraction, as clients do."""
    return f"{_instant(begin)}_{_instant(end)}"


def bucket(milliseconds: int) -> str:
    """A minute as it is written in the answer's first column."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S")


def _instant(milliseconds: int) -> str:
    return bucket(milliseconds) + (f".{milliseconds % 1000:03d}" if milliseconds % 1000 else "")
