"""The slots of a chart, by their bounds: epoch seconds at which each begins, then where the last one ends. Pure.

Days, weeks (from Monday) and months are those of a time zone, and so 23 or 25 hours long where clocks change. Shorter
steps are of one length everywhere, and begin at whole ones since 1970.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, tzinfo
from typing import Final

from api.moments import span
from api.problems import invalid

DAY: Final = 86_400
MONTHS: Final = 0  # as a step: months of the calendar
_WEEK_DAYS: Final = 7
_FIRST: Final = date(1970, 1, 1).toordinal()
_MONDAY: Final = date(1970, 1, 5).toordinal()
_EARLIEST: Final = date(2, 1, 1).toordinal()  # room for any zone's offset
LAST_SECOND: Final = 2**32 - 1  # that the store can hold


def bounds(begin: int, end: int, step: int, local: tzinfo) -> list[int]:
    """[begin, end), epoch seconds, outwards to whole steps of so many seconds, or MONTHS."""
    if step == MONTHS:
        first, last = (_month(_day(at, local)) for at in (begin, end - 1))
        return [_midnight(_first_of(month), local) for month in range(first, last + 2)]
    if step % DAY == 0:
        days = step // DAY
        anchor = _MONDAY if days % _WEEK_DAYS == 0 else _FIRST
        first, last = (
            at - (at - anchor) % days for at in (_day(begin, local).toordinal(), _day(end - 1, local).toordinal())
        )
        return [_midnight(date.fromordinal(at), local) for at in range(first, last + days + 1, days)]
    found = range(begin // step * step, -(-end // step) * step + 1, step)
    return [_storable(at) for at in found]


def back(text: str, slots: Sequence[int], step: int, local: tzinfo) -> list[int]:
    """The slots so long before: by days, weeks and months at the same time of the zone's clock, by hours and less at
    that distance. A month before is the same day of the month, or its last one. Problem 400 names `compare`."""
    months = _months_of(text)
    if step == MONTHS:
        if not months:
            raise invalid("compare", f"months can be compared with months, such as 1mo or 12mo: {text[:40]!r}")
        return [_midnight(_first_of(_month(_day(at, local)) - months), local) for at in slots]
    seconds = 0 if months else span("compare", text)
    if seconds % DAY or text[-1] in "smh":
        return [_storable(at - seconds) for at in slots]
    first = datetime.fromtimestamp(slots[0], local)
    before = _same_day(first.date(), months) if months else _days_before(first.date(), seconds // DAY)
    if step % DAY == 0:
        return [_midnight(before + (_day(at, local) - first.date()), local) for at in slots]
    begin = int(datetime.combine(before, first.time(), local).replace(fold=first.fold).timestamp())
    return [_storable(begin + at - slots[0]) for at in slots]


def _months_of(text: str) -> int:
    """0 when it is no number of months."""
    if not text.endswith("mo"):
        return 0
    months = text.removesuffix("mo")
    if not (len(months) <= 3 and months.isascii() and months.isdigit() and 0 < int(months) <= 120):
        raise invalid("compare", f"must be such as 1d, 1w or 1mo: {text[:40]!r}")
    return int(months)


def _same_day(day: date, months: int) -> date:
    first = _first_of(_month(day) - months)
    length = (_first_of(_month(first) + 1) - first).days
    return first.replace(day=min(day.day, length))


def _days_before(day: date, days: int) -> date:
    """No earlier than there are dates, which is long before the store's."""
    return date.fromordinal(max(day.toordinal() - days, _EARLIEST))


def _day(second: int, local: tzinfo) -> date:
    return datetime.fromtimestamp(second, local).date()


def _month(day: date) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month - 1


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _midnight(day: date, local: tzinfo) -> int:
    """When the day begins; where clocks leave midnight out, when they do."""
    return _storable(int(datetime.combine(day, time(), local).timestamp()))


def _storable(second: int) -> int:
    return min(max(second, 0), LAST_SECOND)
