"""Refusals wait, each at least so long, and longer for each that waits; but only so many."""

import asyncio

import pytest

from api.collect import pause
from api.collect.pause import MOST_PAUSED, Pause

LONG = 3600.0


@pytest.mark.parametrize(("least", "each"), [(LONG, 0.0), (0.0, LONG)])
def test_refusals_wait_but_only_so_many(monkeypatch: pytest.MonkeyPatch, least: float, each: float) -> None:
    monkeypatch.setattr(pause, "PAUSE_SECONDS", least)

    async def run() -> None:
        refusals = Pause(each)
        calls = [asyncio.create_task(refusals.wait()) for _ in range(MOST_PAUSED + 2)]
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert (len(done), len(waiting)) == (2, MOST_PAUSED)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        again = asyncio.create_task(refusals.wait())
        for _ in range(5):  # turns of the loop, of which an answer at once takes two
            await asyncio.sleep(0)
        assert not again.done()  # there is room again
        again.cancel()

    asyncio.run(run())


def test_each_waits_longer_than_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.Event().wait()

    async def run() -> None:
        refusals = Pause(0.1)
        calls = [asyncio.create_task(refusals.wait()) for _ in range(5)]
        await asyncio.wait(calls, timeout=0)
        for one in calls:
            one.cancel()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(run())
    assert waits == pytest.approx([0.25, 0.25, 0.3, 0.4, 0.5])
