"""The alert store: SQLite embedded, PostgreSQL in production, by the same code.

What is kept is written by functions that take a connection (`stores/alert_incidents.py` and its neighbours), so that a
caller joins into one transaction what belongs together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from contracts.settings import Settings
from stores.alert_tables import METADATA, REVISION

_WAIT_SECONDS: Final = 5  # for SQLite's writer lock, and for PostgreSQL to take a connection
_READS: Final = "tidewatch_reads"


class AlertsUnavailable(Exception):
    """The store cannot be asked or written to now; the message says why. What the transaction did was not done."""


class AlertStore:
    """Transactions over one database. Threads may share it; connecting waits for the first use."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    def create(self) -> None:
        """Makes the tables that are missing."""
        with self.writing() as connection:
            METADATA.create_all(connection)
            if connection.execute(select(REVISION)).first() is None:
                connection.execute(insert(REVISION).values(name="alerts", number=0))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, which holds when the block ends without an exception. AlertsUnavailable.

        On SQLite writers take turns from the beginning of the block: what was read in it stays true until its end.
        """
        with _translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that writes nothing and waits for no writer. AlertsUnavailable."""
        with _translated(), self._engine.connect().execution_options(**{_READS: True}) as connection:
            yield connection

    def check(self) -> None:
        """AlertsUnavailable, with the reason, when the tables cannot be read."""
        with self.reading() as connection:
            revision(connection)

    def close(self) -> None:
        """Gives up what is held open."""
        self._engine.dispose()


def open_store(settings: Settings) -> AlertStore:
    """The store that the settings name; its tables are the service's to make (`AlertStore.create`)."""
    url = settings.alerts.store_url.get_secret_value()
    if not url:
        settings.state_path.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{settings.state_path / 'alerts.db'}"
    return AlertStore(url)


def revision(connection: Connection) -> int:
    """Changes whenever another process has written what the service must look at."""
    number: int = connection.execute(select(REVISION.c.number)).scalar_one()
    return number


def touch(connection: Connection) -> None:
    """Makes the service look at all incidents anew, soon."""
    connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def insert_new(connection: Connection, table: Any, values: list[dict[str, Any]]) -> None:
    """Inserts the rows, but for those whose key is there already."""
    if values:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), values)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise AlertsUnavailable(f"alert store: {str(error).strip().splitlines()[0][:300]}") from error


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _WAIT_SECONDS})
    engine = create_engine(url, connect_args={"timeout": _WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    """The driver begins no transactions by itself: it would begin them late, and let two writers read first."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer
    connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
