"""Judges an answer against what is known: what must be in it, and what may. Pure functions.

An answer is right when some choice among the events that may count explains it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery, bucket

EXACT_MAYBES: Final = 14  # up to so many uncertain prices a minute are tried in all combinations
AGGREGATES: Final = {"COUNT": "count", "SUM_PRICE": "sum_price"}


class Difference(NamedTuple):
    """A wrong answer: the request's target, why it is wrong, what should have come, what came."""

    request: str
    reason: str
    expected: str
    got: str


class Known(NamedTuple):
    """An event in a query's range: epoch milliseconds, its JSON, and whether it must be there or only may."""

    time: int
    line: bytes
    certain: bool


class Minutes(NamedTuple):
    """By minute of a query's range: what must count, and the prices of the events that may count besides."""

    counts: list[int]
    sums: list[int]
    maybe: dict[int, list[int]]


def judge_profile(query: ProfileQuery, answer: bytes, views: list[Known], buys: list[Known]) -> Difference | None:
    """`views` and `buys` are those of the cookie within the range, in any order."""
    try:
        reply = msgspec.json.decode(answer, type=dict[str, msgspec.Raw])
        lists = {name: msgspec.json.decode(reply[name], type=list[msgspec.Raw]) for name in ("views", "buys")}
        if list(reply) != ["cookie", "views", "buys"] or msgspec.json.decode(reply["cookie"]) != query.cookie:
            raise ValueError("not an object of cookie, views, buys")
    except (ValueError, KeyError) as error:
        return _profile_difference(query, f"malformed: {error!r}", views, buys, answer)
    for name, known in (("views", views), ("buys", buys)):
        reason = _judge_list(known, [bytes(raw) for raw in lists[name]], query.limit)
        if reason:
            return _profile_difference(query, f"{name}: {reason}", views, buys, answer)
    return None


def judge_aggregates(query: AggregateQuery, answer: bytes, minutes: Minutes) -> Difference | None:
    """The columns and rows must be as the contract says, cell by cell, each a string."""
    filters = query.filters()
    columns = ["1m_bucket", "action", *(name for name, _ in filters), *(AGGREGATES[name] for name in query.aggregates)]
    fixed = [query.action, *(value for _, value in filters)]
    expected = [
        [bucket(query.begin + at * MINUTE_MS), *fixed, *(str(values[name]) for name in query.aggregates)]
        for at, values in enumerate(_values(minutes))
    ]
    reason = _judge_table(columns, expected, answer, minutes.maybe, query.aggregates)
    if reason is None:
        return None
    text = msgspec.json.encode({"columns": columns, "rows": expected}).decode()
    if minutes.maybe:
        text += f" plus any of {minutes.maybe}"
    return Difference(query.target(), reason, text, _text(answer))


def _values(minutes: Minutes) -> Iterable[dict[str, int]]:
    return ({"COUNT": count, "SUM_PRICE": total} for count, total in zip(minutes.counts, minutes.sums, strict=True))


def _judge_table(
    columns: list[str], expected: list[list[str]], answer: bytes, maybe: dict[int, list[int]], names: Sequence[str]
) -> str | None:
    try:
        reply: Any = msgspec.json.decode(answer)
        got: Any = reply["rows"]
        if list(reply) != ["columns", "rows"] or not isinstance(got, list):
            return "not an object of columns and rows"
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        return f"malformed: {error!r}"
    if reply["columns"] != columns:
        return "columns"
    if len(got) != len(expected):
        return f"{len(got)} rows instead of {len(expected)}"
    for at, (want, have) in enumerate(zip(expected, got, strict=True)):
        if want != have and not _explained(want, have, maybe.get(at, []), names):
            return f"row {at}: {want} expected, got {have}"
    return None


def _explained(want: list[str], have: Any, maybe: list[int], names: Sequence[str]) -> bool:
    """Whether adding some of the uncertain prices to the expected row gives the one that came."""
    fixed = len(want) - len(names)
    if not isinstance(have, list) or len(have) != len(want) or have[:fixed] != want[:fixed] or not maybe:
        return False
    try:
        more = {name: int(have[fixed + at]) - int(want[fixed + at]) for at, name in enumerate(names)}
    except (ValueError, TypeError):
        return False
    if any(have[fixed + at] != str(int(have[fixed + at])) for at in range(len(names))):
        return False
    return _reachable(more.get("COUNT"), more.get("SUM_PRICE"), maybe)


def _reachable(count: int | None, total: int | None, maybe: list[int]) -> bool:
    """Whether `count` of the prices (None: any number) add up to `total`; only bounded when there are many."""
    if len(maybe) <= EXACT_MAYBES:
        sums = {(0, 0)}
        for price in maybe:
            sums |= {(number + 1, value + price) for number, value in sums}
        return any(count in (None, number) and total in (None, value) for number, value in sums)
    if count is not None and not 0 <= count <= len(maybe):
        return False
    ordered = sorted(maybe)
    sizes = range(len(maybe) + 1) if count is None else (count,)
    return total is None or any(sum(ordered[:size]) <= total <= sum(ordered[len(ordered) - size :]) for size in sizes)


def _judge_list(known: list[Known], got: list[bytes], limit: int) -> str | None:
    """Newest first, at most `limit`, nothing unknown or doubled, nothing missing that is newer than the last."""
    if len(got) > limit:
        return f"{len(got)} events, limit {limit}"
    times = {event.line: event.time for event in known}
    if any(line not in times for line in got):  # written otherwise perhaps: compare what it says
        known = [Known(event.time, _canonical(event.line), event.certain) for event in known]
        got = [_canonical(line) for line in got]
        times = {event.line: event.time for event in known}
    have = Counter(got)
    for line, number in (have - Counter(event.line for event in known)).items():
        return f"unexpected {number} times: {_text(line)}"
    if any(times[newer] < times[older] for newer, older in zip(got, got[1:], strict=False)):
        return "not newest first"
    for line in Counter(event.line for event in known if event.certain) - have:
        if len(got) < limit or (limit and times[line] > times[got[-1]]):
            return f"missing: {_text(line)}"
    return None


def _canonical(line: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(line), order="sorted")


def _profile_difference(
    query: ProfileQuery, reason: str, views: list[Known], buys: list[Known], answer: bytes
) -> Difference:
    parts = []
    for known in (views, buys):
        newest = sorted(known, key=lambda event: -event.time)[: query.limit]
        parts.append(",".join(_text(event.line) + ("" if event.certain else " (perhaps)") for event in newest))
    expected = f'{{"cookie":"{query.cookie}","views":[{parts[0]}],"buys":[{parts[1]}]}}'
    return Difference(query.target(), reason, expected, _text(answer))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
