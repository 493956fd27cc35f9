"""The driver against a server whose answers are right, or wrong in a known way."""

import asyncio
import time
from typing import Any

import uvloop

from testbed.driver import GIVE_UP, Driver, Load
from testbed.freshness import watch
from testbed.generator import Traffic
from testbed.report import Report
from testbed.wire import FAILED, Pool
from tests.unit.reference_server import ReferenceServer

START = 1_646_092_799_800  # 0.2 s before a minute ends: at 1000 tags/s that minute is judged after 0.4 s


def driver_of(server: ReferenceServer, **load: Any) -> Driver:
    rates = {"rate": 1000.0, "profiles_per_second": 200.0, "aggregates_per_second": 20.0} | load
    return Driver(Load("127.0.0.1", server.port, **rates), Traffic(5, START, cookies=500), grace=0.2)


def drive(server: ReferenceServer, seconds: float = 1.5, **load: Any) -> Report:
    async def run() -> Report:
        async with server:
            driver = driver_of(server, **load)
            watcher = asyncio.create_task(watch(driver))
            try:
                return await driver.run(seconds)
            finally:
                watcher.cancel()

    report: Report = uvloop.run(run())
    return report


def test_right_answers_pass() -> None:
    server = ReferenceServer()
    report = drive(server)
    assert report.passed, report.as_text()
    assert report.tags.sent == len(server.tags)
    assert (report.tags.sent, report.profiles.sent, report.aggregates.sent) == (1500, 300, 30)
    assert report.logical_ms == report.tags.sent
    assert report.sweep.correct == report.sweep.sent > 100
    assert report.score() == 200 or report.profiles.late + report.aggregates.late
    assert report.unjudgeable == 0
    assert len(report.freshness) >= 1


def test_one_lost_tag_is_found() -> None:
    async def run() -> Report:
        async with ReferenceServer(lose=lambda number: number == 100) as server:
            driver = driver_of(server, rate=300.0, profiles_per_second=50.0)  # which slow machines can follow
            driver.start()
            deadline = time.monotonic() + 120
            # How soon a question is about that tag, none knows: on a busy machine most are asked before it is settled.
            while not driver.report.profiles.wrong + driver.report.aggregates.wrong:
                assert time.monotonic() < deadline, driver.report.as_text()
                await asyncio.sleep(0.05)
            driver.pause()
            await driver.settle()
            await driver.sweep()
            await driver.stop()
            return driver.report

    report: Report = uvloop.run(run())
    assert not report.passed
    assert report.tags.failed.total() == 0
    assert report.sweep.wrong >= 1
    assert report.score() < 200
    assert "missing" in report.as_text() or "row 0" in report.as_text()


def test_refused_tags_may_count_or_not() -> None:
    server = ReferenceServer(lose=lambda number: number % 100 == 7, refuse=lambda number: number % 50 == 7)
    report = drive(server)
    assert not report.passed
    assert report.profiles.wrong == report.aggregates.wrong == report.sweep.wrong == 0, report.as_text()
    assert report.tags.failed.total() == server.refused > 10
    assert "503" in report.as_text()


def test_a_server_that_is_away_fails_every_call_at_once() -> None:
    server = ReferenceServer()

    async def run() -> Report:
        async with server:
            port = server.port
        driver = Driver(Load("127.0.0.1", port, rate=200), Traffic(5, START), grace=0.1)
        return await driver.run(0.3)

    report: Report = uvloop.run(run())
    assert not report.passed
    assert report.tags.failed.total() == report.tags.sent == 60
    assert max(report.tags.latencies) < GIVE_UP  # none waited until it was given up


def test_a_pause_sends_nothing_and_makes_nothing_due() -> None:
    server = ReferenceServer()

    async def run() -> tuple[int, float]:
        async with server:
            driver = Driver(Load("127.0.0.1", server.port, rate=500), Traffic(5, START), grace=0.1)
            began = time.monotonic()
            driver.start()
            driver.pause()
            await asyncio.sleep(0.3)
            paused = driver.sent
            driver.resume()
            while driver.sent < 20:
                await asyncio.sleep(0.01)
            resumed = time.monotonic() - began
            driver.pause()
            await driver.settle()
            await driver.stop()
            return paused, resumed

    paused, resumed = uvloop.run(run())
    assert paused <= 1
    assert resumed > 0.3 + 18 / 500  # without the shift all would have been due at once


def test_calls_under_way_when_it_stops_count_for_nothing() -> None:
    async def run() -> Report:
        async with ReferenceServer() as server:
            driver = Driver(Load("127.0.0.1", server.port), Traffic(5, START))
            driver.start()
            while driver.sent < 100:
                await asyncio.sleep(0.01)
            await driver.stop()
            return driver.report

    report: Report = uvloop.run(run())
    assert report.passed, report.as_text()
    assert report.tags.decided <= report.tags.sent


def test_a_call_is_given_up_also_behind_one_that_may_take_longer() -> None:
    async def run() -> list[int]:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        async with server:
            loop = asyncio.get_running_loop()
            pool = Pool("127.0.0.1", server.sockets[0].getsockname()[1], 1, loop)
            statuses: list[int] = []
            for timeout in (1000.0, 1000.0, 0.0):  # the first takes the only connection
                pool.call(b"", timeout, lambda response: statuses.append(response.status))
            while not statuses:
                pool.give_up(loop.time())
                await asyncio.sleep(0.01)
            pool.close()
            return statuses[:1]

    assert uvloop.run(run()) == [FAILED]
