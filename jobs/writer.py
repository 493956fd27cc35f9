"""Writes Arrow tables to ClickHouse from within an operator."""

from typing import Final

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from contracts.settings import Settings
from jobs.buffer import WriteFailed
from stores import clickhouse

ATTEMPT_SECONDS: Final = 2.0
# After an outage a partition has far more to write than ClickHouse takes within an attempt on a busy machine: as one
# insert it would time out for ever. These are some 83,000 tags or 275,000 points; small ones are merged more often.
BYTES_AN_ATTEMPT: Final = 16_000_000
LEAST_BYTES: Final = 1_000_000  # an attempt, while larger ones fail


class Writer:
    """A session that is opened when first needed and anew after a failure; every attempt ends within 2 s."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._bytes = BYTES_AN_ATTEMPT

    def insert(self, table: str, rows: pa.Table) -> None:
        """Inserts the rows; WriteFailed says why they may not be there."""
        if rows.num_rows == 0:
            return
        try:
            if self._client is None:
                near = self._settings.clickhouse_is_near  # compressing costs more there than it saves
                self._client = clickhouse.connect(self._settings, timeout=ATTEMPT_SECONDS, compress=not near)
            for start in range(0, rows.num_rows, length := _length(rows, self._bytes)):
                self._client.insert_arrow(table, rows.slice(start, length))
            self._bytes = BYTES_AN_ATTEMPT
        except (ClickHouseError, OSError) as error:
            self._client = None
            self._bytes = max(LEAST_BYTES, self._bytes // 2)
            raise WriteFailed(f"ClickHouse does not take rows of {table}: {error}") from error


def _length(rows: pa.Table, most: int) -> int:
    """Rows an attempt, of so many bytes."""
    size: int = rows.nbytes
    return max(1, int(rows.num_rows) * most // max(1, size))
