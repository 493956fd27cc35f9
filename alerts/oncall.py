"""Who is on call: rotations that change by the local clock, also when it is put forward or back. Pure.

All times are epoch milliseconds.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from alerts.config import Config, Schedule, local
from stores.alert_silences import Shift


def on_call(schedule: Schedule, at: int) -> str | None:
    """The person; None before the schedule's start, unless an override says who."""
    for override in reversed(schedule.overrides):
        if local(schedule, override.begin) <= at < local(schedule, override.end):
            return override.person
    turn = _turn(schedule, at)
    return None if turn < 0 else schedule.people[turn % len(schedule.people)]


def shifts(name: str, schedule: Schedule, begin: int, end: int) -> Iterator[Shift]:
    """Who is on call from `begin` to `end`, in time; where nobody is there is no shift."""
    moments = sorted({begin, *(moment for moment in _changes(schedule, begin, end) if begin < moment < end), end})
    current: Shift | None = None
    for starts_at, ends_at in zip(moments, moments[1:], strict=False):
        person = on_call(schedule, starts_at)
        if current is not None and person == current.person:
            current = current._replace(ends_at=ends_at)
            continue
        if current is not None:
            yield current
        current = None if person is None else Shift(name, starts_at, ends_at, person)
    if current is not None:
        yield current


def roster(config: Config, begin: int, end: int) -> list[Shift]:
    """The shifts of all schedules."""
    return [shift for name, schedule in config.schedules.items() for shift in shifts(name, schedule, begin, end)]


def reached(config: Config, names: list[str], at: int) -> list[str]:
    """The receivers behind names of receivers, people and schedules, each once."""
    found: dict[str, None] = {}
    for name in names:
        person = on_call(config.schedules[name], at) if name in config.schedules else name
        if name in config.receivers:
            found[name] = None
        elif person is not None:
            found.update(dict.fromkeys(config.people[person]))
    return list(found)


def _turn(schedule: Schedule, at: int) -> int:
    """The number of changes until then, negative before the start.

    Counted by the local clock, then put right: where it is put back, a change has happened though the clock shows an
    earlier time again.
    """
    clock = datetime.fromtimestamp(at / 1000, schedule.time_zone).replace(tzinfo=None)
    turn = (clock - schedule.starts) // timedelta(days=schedule.days)
    if at >= _begin(schedule, turn + 1):
        return turn + 1
    return turn - 1 if at < _begin(schedule, turn) else turn


def _begin(schedule: Schedule, turn: int) -> int:
    return local(schedule, schedule.starts + turn * timedelta(days=schedule.days))


def _changes(schedule: Schedule, begin: int, end: int) -> Iterator[int]:
    for override in schedule.overrides:
        yield local(schedule, override.begin)
        yield local(schedule, override.end)
    turn = max(_turn(schedule, begin), -1) + 1
    while (moment := _begin(schedule, turn)) < end:
        yield moment
        turn += 1
