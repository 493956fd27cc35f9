"""Sessions with ClickHouse, over HTTP."""

from typing import Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings

# Rows go by the day of ingestion, which a producer of its own may set to anything: no limit on partitions an insert.
# No insert holds two rows of a key, so none is searched for them: that is half of what an insert costs.
SESSION: Final = {"max_partitions_per_insert_block": 0, "optimize_on_insert": 0}


def connect(
    settings: Settings,
    *,
    reader: bool = False,
    timeout: float = 30.0,
    database: str | None = None,
    compress: bool = True,
) -> Client:
    """A client that threads may share. As `reader` it can only query. `timeout` in seconds, for connecting and for
    each answer; errors are those of clickhouse_connect.driver.exceptions.

    `database` is the settings' own by default. `compress`: what goes over the network, either way.
    """
    clickhouse = settings.clickhouse
    password = clickhouse.reader_password if reader else clickhouse.password
    return clickhouse_connect.get_client(
        host=settings.clickhouse_host,
        port=clickhouse.port,
        secure=clickhouse.secure,
        username=clickhouse.reader if reader else clickhouse.user,
        password=password.get_secret_value(),
        database=clickhouse.database if database is None else database,
        connect_timeout=int(timeout) or 1,
        send_receive_timeout=timeout,
        autogenerate_session_id=False,  # a session is used by one query at a time; threads share this client
        query_retries=0,  # whoever asks decides what to do again
        settings=None if reader else SESSION,
        compress=compress,
    )
