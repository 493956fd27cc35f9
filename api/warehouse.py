"""Queries to ClickHouse as the read-only user, from the Flask app's threads."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

import sql
from contracts.settings import Settings
from stores import clickhouse

# A failure sooner than this is a kept-alive connection that the server has closed in between: worth one more try.
_AT_ONCE_SECONDS: Final = 0.5
_CODE: Final = re.compile(r"Code: (\d+)\.")
_BUSY: Final = (202, 203)  # too many queries at once; no free connection
_LONGEST_REASON: Final = 2000


Answer = TypeVar("Answer")


class WarehouseUnavailable(Exception):
    """ClickHouse did not answer; the message says why."""


class QueryRefused(Exception):
    """ClickHouse answered that it will not; the message is its own."""


class Warehouse:
    """One client for all threads, connected at the first query and again after it failed."""

    def __init__(self, settings: Settings, timeout: float) -> None:
        """`timeout` in seconds, for connecting and for an answer."""
        self._settings = settings
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: Client | None = None

    def query(self, name: str, parameters: dict[str, Any] | None = None) -> list[Sequence[Any]]:
        """The rows of the statement `sql/<name>.sql`, without labels to group by when `group_by` is an empty parameter.

        Raises WarehouseUnavailable.
        """
        ungrouped = parameters is not None and parameters.get("group_by") == []
        text = sql.read_ungrouped(name) if ungrouped else sql.read(name)
        return self._steadily(lambda: list(self._connected().query(text, parameters).result_rows))

    def raw(self, statement: str, output: str, parameters: dict[str, Any] | None = None) -> bytes:
        """What a statement of a stranger answers, in this format of ClickHouse's; limits and rights are the reader's.

        Raises QueryRefused, or WarehouseUnavailable.
        """

        def ask() -> bytes:
            try:
                return self._connected().raw_query(statement, parameters, fmt=output)
            except DatabaseError as error:
                reason = _CODE.search(str(error))
                if reason is None or int(reason[1]) in _BUSY:
                    raise
                words, _, _ = str(error)[reason.start() :].partition(" (for url")  # which the client appends
                raise QueryRefused(words[:_LONGEST_REASON]) from error

        return self._steadily(ask)

    def _steadily(self, ask: Callable[[], Answer]) -> Answer:
        started = time.monotonic()
        try:
            return ask()
        except (ClickHouseError, OSError) as error:
            self._forget()
            if time.monotonic() - started > _AT_ONCE_SECONDS:
                raise WarehouseUnavailable(_reason(error)) from error
        try:
            return ask()
        except (ClickHouseError, OSError) as error:
            self._forget()
            raise WarehouseUnavailable(_reason(error)) from error

    def check(self) -> str | None:
        """What is wrong with the link, None when nothing is."""
        try:
            self.query("queries/ready")
        except WarehouseUnavailable as error:
            return str(error)
        return None

    def close(self) -> None:
        """Closes the connections."""
        self._forget()

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = clickhouse.connect(self._settings, reader=True, timeout=self._timeout)
            return self._client

    def _forget(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


def _reason(error: Exception) -> str:
    """The first line, without ClickHouse's stack of causes."""
    return f"ClickHouse: {str(error).strip().splitlines()[0][:300]}" if str(error).strip() else "ClickHouse is away"
