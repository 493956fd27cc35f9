"""The outbox: what is to be sent, what was, and how often it was tried."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, func, select, update

from stores.alert_tables import OUTBOX
from stores.alerts import insert_new, touch

State = Literal["pending", "sent", "failed"]


class Letter(NamedTuple):
    """What goes to a receiver. `key` names the change; a receiver gets each key once, whoever adds it how often.

    `payload` is what the alert service wrote; empty for the event `test`, which is about no incident.
    """

    key: str
    receiver: str
    incident: str | None
    event: str
    batch: str
    payload: str


class Sending(NamedTuple):
    """A letter with how its sending goes; `next_at` is when it is tried (again)."""

    number: int
    letter: Letter
    state: State
    attempts: int
    next_at: int
    created_at: int
    sent_at: int | None
    error: str


def add(connection: Connection, letters: Iterable[Letter], now: int) -> None:
    """To be sent from now on, in this order."""
    fresh = {"state": "pending", "attempts": 0, "next_at": now, "created_at": now, "error": ""}
    insert_new(connection, OUTBOX, [{**letter._asdict(), **fresh} for letter in letters])


def known(connection: Connection, keys: Iterable[str]) -> set[tuple[str, str]]:
    """Of these keys, those that are there, each with its receiver."""
    rows = connection.execute(select(OUTBOX.c.key, OUTBOX.c.receiver).where(OUTBOX.c.key.in_(list(keys))))
    return {(row.key, row.receiver) for row in rows}


def request(connection: Connection, letter: Letter, now: int) -> int:
    """As `add`, from another process; returns the letter's number, by which `sending` shows what became of it."""
    add(connection, [letter], now)
    touch(connection)
    place = (OUTBOX.c.key == letter.key) & (OUTBOX.c.receiver == letter.receiver)
    number: int = connection.execute(select(OUTBOX.c.number).where(place)).scalar_one()
    return number


def due(connection: Connection, now: int) -> list[Sending]:
    """What can be sent now, in order: of one incident to one receiver only what came first."""
    earlier = OUTBOX.alias()
    waits = (earlier.c.receiver == OUTBOX.c.receiver) & (earlier.c.incident == OUTBOX.c.incident)
    waits &= (earlier.c.state == "pending") & (earlier.c.number < OUTBOX.c.number)
    blocked = select(earlier.c.number).where(waits).exists()
    ready = (OUTBOX.c.state == "pending") & (OUTBOX.c.next_at <= now) & ~blocked
    return [_sending(row) for row in connection.execute(select(OUTBOX).where(ready).order_by(OUTBOX.c.number))]


def next_attempt(connection: Connection) -> int | None:
    """When the next letter is due, None when none waits."""
    return connection.execute(select(func.min(OUTBOX.c.next_at)).where(OUTBOX.c.state == "pending")).scalar()


def sent(connection: Connection, numbers: Iterable[int], now: int) -> None:
    """The receiver has taken them."""
    _attempted(connection, numbers, state="sent", sent_at=now, error="")


def postponed(connection: Connection, numbers: Iterable[int], next_at: int, error: str) -> None:
    """The attempt failed; the next one is at `next_at`."""
    _attempted(connection, numbers, next_at=next_at, error=error)


def failed(connection: Connection, numbers: Iterable[int], error: str) -> None:
    """The attempt failed, and there will be no other."""
    _attempted(connection, numbers, state="failed", error=error)


def sending(connection: Connection, number: int) -> Sending | None:
    """The letter of this number."""
    row = connection.execute(select(OUTBOX).where(OUTBOX.c.number == number)).first()
    return None if row is None else _sending(row)


def of_incident(connection: Connection, incident: str) -> list[Sending]:
    """All that went out, or will, of an incident, in order."""
    query = select(OUTBOX).where(OUTBOX.c.incident == incident).order_by(OUTBOX.c.number)
    return [_sending(row) for row in connection.execute(query)]


def told(connection: Connection, incidents: Iterable[str]) -> dict[str, list[str]]:
    """By incident the receivers that were told of it, or will be, in the order in which they were."""
    ours = OUTBOX.c.incident.in_(list(incidents)) & (OUTBOX.c.state != "failed")
    found: dict[str, list[str]] = {}
    for row in connection.execute(select(OUTBOX.c.incident, OUTBOX.c.receiver).where(ours).order_by(OUTBOX.c.number)):
        receivers = found.setdefault(row.incident, [])
        if row.receiver not in receivers:
            receivers.append(row.receiver)
    return found


def counts(connection: Connection) -> dict[tuple[str, State], int]:
    """How many letters are in which state, by receiver."""
    rows = connection.execute(
        select(OUTBOX.c.receiver, OUTBOX.c.state, func.count()).group_by(OUTBOX.c.receiver, OUTBOX.c.state)
    )
    return {(receiver, state): count for receiver, state, count in rows}


def _attempted(connection: Connection, numbers: Iterable[int], **values: Any) -> None:
    ours = OUTBOX.c.number.in_(list(numbers)) & (OUTBOX.c.state == "pending")
    connection.execute(update(OUTBOX).where(ours).values(attempts=OUTBOX.c.attempts + 1, **values))


def _sending(row: Row[Any]) -> Sending:
    letter = Letter(row.key, row.receiver, row.incident, row.event, row.batch, row.payload)
    return Sending(row.number, letter, row.state, row.attempts, row.next_at, row.created_at, row.sent_at, row.error)
