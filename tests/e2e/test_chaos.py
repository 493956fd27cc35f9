"""A short campaign of kills: nothing acknowledged is lost, nothing counts twice, and all is right again by itself.

`make chaos` is the long one, with every part, pauses, and the promised time of recovery.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from contracts.settings import Settings
from testbed.faults import EVERYTHING, plan
from tests.chaos.campaign import Campaign, Mix, Runner
from tests.chaos.stack import Stack
from tests.chaos.verdict import Verdict, judge

TARGETS = ("kafka", EVERYTHING)  # a TaskManager is killed under traffic in `test_streams`
MIX = Mix(tags=200, profiles=20, aggregates=1, cookies=300)  # some outgrow what a profile shows
TAGS = 2_000
SLOW = 3.0  # machines of CI are slow, and may be busy with more than us; `make chaos` looks at seconds


@pytest.fixture(scope="package")
def kept_up(stack: Settings) -> Iterator[Stack]:
    """The stack, and who calls `up` after everything was killed; what that started ends with the last test."""
    kept = Stack(stack)
    yield kept
    kept.stop()


def test_kills_lose_nothing_and_double_nothing(kept_up: Stack) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    click.echo(f"SEED={seed} repeats the plan")
    campaign, verdict = asyncio.run(_run(kept_up, seed))
    click.echo("\n".join(map(str, campaign.recoveries)))
    assert verdict.problems == []
    assert len(campaign.recoveries) == len(TARGETS)
    assert verdict.acknowledged >= TAGS
    assert verdict.letters > 0
    assert kept_up.ups == 1  # after everything was killed, and never else


async def _run(kept: Stack, seed: int) -> tuple[Campaign, Verdict]:
    keeper = asyncio.create_task(kept.keep_up())
    try:
        runner = Runner(kept, seed, MIX, click.echo, steady=0.0, slow=SLOW)  # none of these kills is noticed late
        campaign = await runner.run(plan(seed, len(TARGETS), 0, targets=TARGETS), TAGS)
        return campaign, await judge(kept.settings, campaign)
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
