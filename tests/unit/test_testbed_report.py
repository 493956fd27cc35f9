"""Scores as the course counts them, and what people see of a run."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from contracts.tags import encode_tag
from testbed.begin import DAY_MS, FIRST_MS, BeginError, check_unused, find_unused, wait_answering
from testbed.driver import Driver, Load
from testbed.generator import Traffic
from testbed.judge import Difference
from testbed.live import LiveLine
from testbed.report import SHOWN, Report, quantile
from testbed.wire import Pool, Requests
from tests.unit.reference_server import ReferenceServer

Result = TypeVar("Result")


def test_the_score_counts_late_and_failed_answers_as_not_right() -> None:
    report = Report(late=0.2, late_aggregates=60)
    report.profiles.sent = 4
    report.profiles.right(0.1)
    report.profiles.right(0.3)
    report.profiles.mistaken(0.1)
    report.profiles.refused("503 busy", 0.1)
    report.aggregates.right(30)
    assert report.score() == 25 + 100
    report.logical_ms = 43_200_000
    assert report.course_score() == 125 * 50
    assert not report.passed
    summary = report.as_dict()
    assert summary["profiles"] | {"p99_ms": 0} == {
        **{"sent": 4, "correct": 1, "late": 1, "wrong": 1, "failed": 1},
        **{"p50_ms": 100.0, "p99_ms": 0, "max_ms": 300.0},
    }
    assert summary["timeouts"] == 1
    assert json.loads(json.dumps(summary)) == summary
    assert "profiles failed 1 times: 503 busy" in report.as_text()


def test_calls_that_were_never_answered_are_timeouts_and_refusals_are_not() -> None:
    report = Report(late=0.2, late_aggregates=60)
    report.tags.refused("503 busy", 0.1)
    report.tags.refused("given up", 20, silent=True)
    report.profiles.right(0.3)
    assert report.timeouts == report.as_dict()["timeouts"] == 2
    assert "timeouts 2" in report.as_text()


def test_late_answers_pass_and_nothing_asked_scores_in_full() -> None:
    report = Report(late=0.2, late_aggregates=60)
    report.tags.right(5)
    assert report.passed
    assert report.score() == 200


def test_the_first_differences_are_shown_and_the_rest_is_counted() -> None:
    report = Report(0.2, 60)
    for number in range(SHOWN + 5):
        report.profiles.mistaken(0.1)
        report.differs(Difference(f"/user_profiles/{number}", "missing", "e" * 5000, "g"))
    text = report.as_text()
    assert text.count("POST /user_profiles/") == SHOWN
    assert "and 5 more differences" in text
    assert len(text) < SHOWN * 2500


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_the_smallest_value_that_enough_values_do_not_exceed(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered) + 1e-9


def with_server(what: Callable[[ReferenceServer, Pool, Requests], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with ReferenceServer() as server:
            pool = Pool("127.0.0.1", server.port, 2, asyncio.get_running_loop())
            try:
                return await what(server, pool, Requests("127.0.0.1", server.port))
            finally:
                pool.close()

    result: Result = uvloop.run(run())
    return result


def test_a_run_begins_where_nobody_was() -> None:
    async def run(_: ReferenceServer, pool: Pool, requests: Requests) -> tuple[bool, int, int]:
        await wait_answering(pool, requests, 1)
        first = await find_unused(pool, requests, 60_000)
        traffic = Traffic(1, first)
        await pool.get(requests.post("/user_tags", encode_tag(traffic.tag(0))), 5)
        return await check_unused(pool, requests, first, 60_000), first, await find_unused(pool, requests, 60_000)

    assert with_server(run) == (False, FIRST_MS, FIRST_MS + DAY_MS)


def test_a_run_against_nobody_does_not_begin() -> None:
    async def run(_: ReferenceServer, pool: Pool, requests: Requests) -> None:
        nobody = Pool("127.0.0.1", 1, 2, asyncio.get_running_loop())
        with pytest.raises(BeginError, match="does not answer"):
            await wait_answering(nobody, requests, 0)

    with_server(run)


def test_the_live_line_tells_rates_and_score() -> None:
    async def run(server: ReferenceServer, pool: Pool, requests: Requests) -> str:
        driver = Driver(Load("127.0.0.1", server.port), Traffic(1))
        line = LiveLine(driver, 100.0)
        for _ in range(50):
            driver.report.tags.right(0.004)
        driver.report.profiles.refused("503", 0.1)
        driver.report.freshness.append(0.7)
        return line.text(100.5)

    text = with_server(run)
    assert "tags 100/s p99 4 ms" in text
    assert "fresh 0.7 s" in text
    assert "score 100.00/200 (1 answers)" in text
    assert "profiles 0 wrong 1 failed" in text
