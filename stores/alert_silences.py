"""Silences, and who is on call."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from contracts import matchers
from contracts.matchers import Matcher
from stores.alert_tables import SHIFTS, SILENCES
from stores.alerts import touch


class Silence(NamedTuple):
    """Nothing new is told of alerts that fulfil all matchers, from `starts_at` until `ends_at`."""

    id: str
    matchers: list[Matcher]
    starts_at: int
    ends_at: int
    created_by: str
    comment: str
    created_at: int


class Shift(NamedTuple):
    """`person` is on call for a schedule from `starts_at` until `ends_at`."""

    schedule: str
    starts_at: int
    ends_at: int
    person: str


def add(connection: Connection, silence: Silence) -> None:
    """The service heeds it from its next look on, which is at once."""
    row = {**silence._asdict(), "matchers": matchers.encode(silence.matchers)}
    connection.execute(insert(SILENCES).values(**row))
    touch(connection)


def end(connection: Connection, silence: str, now: int) -> Silence | None:
    """Ends it now, unless it has ended; the silence as it is then, None when there is none by this id."""
    current = (SILENCES.c.id == silence) & (SILENCES.c.ends_at > now)
    connection.execute(update(SILENCES).where(current).values(ends_at=now))
    touch(connection)
    row = connection.execute(select(SILENCES).where(SILENCES.c.id == silence)).first()
    return None if row is None else _silence(row)


def silences(connection: Connection, now: int) -> list[Silence]:
    """Those that have not ended, by when they begin."""
    query = select(SILENCES).where(SILENCES.c.ends_at > now).order_by(SILENCES.c.starts_at, SILENCES.c.id)
    return [_silence(row) for row in connection.execute(query)]


def forget(connection: Connection, before: int) -> None:
    """Deletes the silences that ended before then."""
    connection.execute(delete(SILENCES).where(SILENCES.c.ends_at < before))


def replace_shifts(connection: Connection, shifts: Iterable[Shift]) -> None:
    """Makes these all that is known of who is on call."""
    connection.execute(delete(SHIFTS))
    rows = [shift._asdict() for shift in shifts]
    if rows:
        connection.execute(insert(SHIFTS), rows)


def shifts(connection: Connection, begin: int, end: int) -> list[Shift]:
    """Those that overlap the time from `begin` to `end`, by schedule and time."""
    overlapping = (SHIFTS.c.ends_at > begin) & (SHIFTS.c.starts_at < end)
    query = select(SHIFTS).where(overlapping).order_by(SHIFTS.c.schedule, SHIFTS.c.starts_at)
    return [Shift(row.schedule, row.starts_at, row.ends_at, row.person) for row in connection.execute(query)]


def _silence(row: Row[Any]) -> Silence:
    return Silence(**{**row._asdict(), "matchers": matchers.decode(row.matchers)})
