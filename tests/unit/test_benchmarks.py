"""What the benchmarks' figures rest on: the load generator's counting, and the peers' common rule of a profile."""

import asyncio
from collections import Counter

import uvloop

from benchmarks.collect_points import POINTS, STREAM
from benchmarks.course import halving
from benchmarks.overload_stored import Accepted, by_series
from benchmarks.peers.task import KEEP, Found, no_lists, remember
from benchmarks.processes import DRIVER, Usage
from benchmarks.rig.closed_loop import ClosedLoop
from benchmarks.rig.collecting import Measured, middle
from benchmarks.rig.open_loop import OpenLoop
from benchmarks.rig.probe import CALLS, Probe, Seen
from contracts.tags import encode_tag
from testbed.generator import Traffic
from testbed.wire import Requests
from tests.unit.reference_server import ReferenceServer


async def answers(loop: ClosedLoop, count: int) -> None:
    while loop.answered < count:
        await asyncio.sleep(0.01)


def test_every_call_is_counted_once_and_ended() -> None:
    async def run() -> tuple[ReferenceServer, ClosedLoop, int]:
        traffic = Traffic(1)
        requests = [Requests("localhost", 80).post("/user_tags", encode_tag(traffic.tag(n))) for n in range(10)]
        async with ReferenceServer(refuse=lambda number: number % 50 == 7) as server:
            loop = ClosedLoop("127.0.0.1", server.port, requests, 204)
            loop.start(8)
            await answers(loop, 100)
            before = loop.answered
            loop.begin_counting()
            await answers(loop, before + 100)
            await loop.stop()
            return server, loop, before

    server, loop, before = uvloop.run(run())
    assert server.refused > 1
    assert loop.refused.total() == server.refused
    assert loop.answered == server.received - server.refused
    assert len(loop.latencies) == loop.answered - before >= 100
    assert max(loop.taken.values()) - min(loop.taken.values()) <= loop.answered // 10


def test_in_open_loop_what_was_taken_is_known_by_request() -> None:
    async def run() -> tuple[ReferenceServer, OpenLoop]:
        traffic = Traffic(1)
        requests = [Requests("localhost", 80).post("/user_tags", encode_tag(traffic.tag(n))) for n in range(10)]
        async with ReferenceServer(refuse=lambda number: number % 3 == 0) as server:
            loop = OpenLoop("127.0.0.1", server.port, requests, 204, 8)
            await loop.run(500.0, 0.5)
            return server, loop

    server, loop = uvloop.run(run())
    assert server.refused > 10
    assert len(loop.shed) + loop.failed.total() == server.refused
    assert loop.taken.total() == len(loop.accepted) == loop.sent - server.refused
    assert set(loop.taken) == set(range(10))


def test_a_probe_tells_what_became_of_its_calls() -> None:
    async def run() -> tuple[ReferenceServer, Seen]:
        requests = [Requests("localhost", 80).post("/user_tags", encode_tag(Traffic(1).tag(0)))]
        async with ReferenceServer(refuse=lambda number: number % 3 == 0) as server:
            probe = Probe("127.0.0.1", server.port, requests, 204)
            try:
                await probe.start()
                return server, await probe.run(0.5)
            finally:
                probe.stop()

    server, seen = uvloop.run(run())
    assert server.refused > 5
    assert len(seen.shed) + seen.failed.total() == server.refused
    assert len(seen.accepted) == seen.taken.total() > 10
    assert len(seen.accepted) + server.refused + seen.unsent <= CALLS * 0.6


def test_sums_of_what_was_accepted() -> None:
    bodies = [columns for columns, _ in zip(STREAM.batches(POINTS), range(3), strict=False)]
    accepted = Accepted([by_series(one.series, one.value) for one in bodies], Counter({0: 2, 2: 1}))
    for number in (0, 999):
        values = [*bodies[0].value[bodies[0].series == number]] * 2 + [*bodies[2].value[bodies[2].series == number]]
        assert accepted.sums()[STREAM.all_series[number].id] == (len(values), sum(values))


def test_the_middle_of_three_runs_is_one_of_them() -> None:
    runs = [Measured(rate, rate, 0, 0, 0, 0) for rate in (3.0, 1.0, 2.0)]
    assert middle(runs) is runs[2]


def test_a_peer_keeps_the_newest_in_order() -> None:
    lists, found = no_lists(), Found()
    for time in [5, 3, *range(10, 10 + KEEP)]:
        remember(lists, time, "0-0", {"action": "BUY", "product_info": {"price": 2}})
    assert [entry[0] for entry in lists["BUY"]] == list(range(10, 10 + KEEP))
    for entries in lists.values():
        found.add_list(entries)
    assert found == Found(groups=1, events=KEEP, price=2 * KEEP)


def test_what_would_halve_the_cpu_is_told_by_what_was_used() -> None:
    usage = Usage()
    usage.cpu = {"api": 3.0, DRIVER: 1.0, "kafka": 4.0}
    assert "API and driver took 50% of the CPU" in halving(usage)
