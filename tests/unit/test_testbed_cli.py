"""`tidewatch drive` as people call it, against a server whose answers are right."""

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from cli.drive import command
from cli.errors import explain
from testbed.begin import FIRST_MS, BeginError
from tests.unit.reference_server import ReferenceServer


@pytest.fixture
def server() -> Iterator[ReferenceServer]:
    """In a thread of its own: the command runs a loop in this one."""
    reference = ReferenceServer()
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with reference:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(60)
    yield reference
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_drive_reports_as_json_and_begins_where_nobody_was(server: ReferenceServer) -> None:
    arguments = ["--port", str(server.port), "--rate", "200", "--seconds", "0.5", "--json"]
    result = CliRunner().invoke(command, arguments)
    report = json.loads(result.stdout)
    assert (result.exit_code, report["passed"], report["acknowledged"]) == (0, True, 100), result.output
    assert report["tags"]["sent"] == len(server.tags) == 100
    assert server.tags[0][0] == FIRST_MS
    again = CliRunner().invoke(command, [*arguments, "--start", "2022-03-01T00:00:51Z"])
    assert isinstance(again.exception, BeginError)
    assert "choose another --start" in (explain(again.exception) or "")


def test_what_is_no_time_is_refused(server: ReferenceServer) -> None:
    result = CliRunner().invoke(command, ["--port", str(server.port), "--start", "yesterday"])
    assert result.exit_code == 2
    assert "--start" in result.output


def test_a_port_where_nobody_listens_is_named() -> None:
    result = CliRunner().invoke(command, ["--port", "1"])
    assert isinstance(result.exception, BeginError)
    assert "127.0.0.1:1" in (explain(result.exception) or "")
