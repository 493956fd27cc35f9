"""One of several services works at a time: it holds the lease, and every transaction of it says so."""

from typing import Final

from sqlalchemy import Connection, delete, select, update

from stores.alert_tables import LEASE, OFFSETS
from stores.alerts import insert_new

_NAME: Final = "alerts"


class LeaseLost(Exception):
    """Another instance works now; what the transaction did was not done."""


def take(connection: Connection, holder: str, now: int, milliseconds: int) -> int | None:
    """Takes or renews the lease for so long; the holder's token, None while another holds it.

    The token goes up whenever the lease changes hands. A holder that renews late keeps it: nobody has wanted it.
    """
    insert_new(connection, LEASE, [{"name": _NAME, "holder": "", "token": 0, "expires_at": 0}])
    held = connection.execute(select(LEASE).where(LEASE.c.name == _NAME).with_for_update()).one()
    ours = held.holder == holder
    if not ours and held.expires_at > now:
        return None
    token: int = held.token if ours else held.token + 1
    values = {"holder": holder, "token": token, "expires_at": now + milliseconds}
    connection.execute(update(LEASE).where(LEASE.c.name == _NAME).values(**values))
    return token


def give_back(connection: Connection, holder: str) -> None:
    """Another instance need not wait until it runs out."""
    ours = (LEASE.c.name == _NAME) & (LEASE.c.holder == holder)
    connection.execute(update(LEASE).where(ours).values(expires_at=0))


def demand(connection: Connection, token: int) -> None:
    """LeaseLost unless the token is still that of the lease, which then stays so until the transaction's end.

    It need not be in time: nobody else has taken it.
    """
    held = connection.execute(select(LEASE.c.token).where(LEASE.c.name == _NAME).with_for_update()).scalar_one_or_none()
    if held != token:
        raise LeaseLost("another instance holds the lease")


def holder(connection: Connection) -> tuple[str, int] | None:
    """Who holds it, and until when in epoch milliseconds; None when nobody ever did."""
    held = connection.execute(select(LEASE.c.holder, LEASE.c.expires_at).where(LEASE.c.name == _NAME)).first()
    return None if held is None else (held.holder, held.expires_at)


def offsets(connection: Connection, topic_id: str) -> dict[int, int]:
    """By partition, the next offset to be read; empty when the topic was never read to its end."""
    rows = connection.execute(select(OFFSETS).where(OFFSETS.c.topic_id == topic_id))
    return {row.partition: row.next_offset for row in rows}


def save_offsets(connection: Connection, topic_id: str, next_offsets: dict[int, int]) -> None:
    """In the transaction that holds what came of the records before them."""
    for partition, offset in next_offsets.items():
        place = (OFFSETS.c.topic_id == topic_id) & (OFFSETS.c.partition == partition)
        if connection.execute(update(OFFSETS).where(place).values(next_offset=offset)).rowcount == 0:
            row = {"topic_id": topic_id, "partition": partition, "next_offset": offset}
            insert_new(connection, OFFSETS, [row])
    connection.execute(delete(OFFSETS).where(OFFSETS.c.topic_id != topic_id))  # of a topic that was deleted
