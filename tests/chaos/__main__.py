"""`python -m tests.chaos`: a whole campaign on a fresh stack, which `make chaos` runs."""

import asyncio
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks.results import Result, record
from contracts.settings import Settings
from contracts.settings_source import load
from testbed.faults import TARGETS, Fault, plan
from tests.chaos.campaign import PROMISE, Campaign, Mix, Runner
from tests.chaos.stack import Stack
from tests.chaos.verdict import Verdict, judge

FOLDER: Final = Path("var/chaos")


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of plan, traffic and malformed bytes.")
@click.option("--kills", type=click.IntRange(0), default=24, show_default=True)
@click.option("--stops", type=click.IntRange(0), default=8, show_default=True)
@click.option("--pause", type=click.FloatRange(0), default=30, show_default=True, help="Seconds that a stop lasts.")
@click.option(
    "--tags", type=click.IntRange(0), default=200_000, show_default=True, help="To be acknowledged, at least."
)
@click.option("--rate", type=click.FloatRange(1), default=Mix().tags, show_default=True, help="Tags a second.")
@click.option("--target", "targets", multiple=True, type=click.Choice(TARGETS), help="Of faults.  [default: all]")
def main(seed: int, kills: int, stops: int, pause: float, tags: int, rate: float, targets: tuple[str, ...]) -> None:
    """Start a stack on var/chaos, wiped first; kill and stop its parts while traffic flows; judge what it holds then.

    Exit status 1 when a promise was broken.
    """
    settings = load().model_copy(update={"state_dir": FOLDER})
    if settings.state_path.exists():
        shutil.rmtree(settings.state_path)
    faults = plan(seed, kills, stops, pause, targets or TARGETS)
    click.echo(f"seed {seed}")
    for number, fault in enumerate(faults, 1):
        click.echo(f"  {number:2}. {fault}")
    mix = Mix(tags=rate)
    campaign, verdict = asyncio.run(_run(settings, seed, mix, faults, tags))
    broken = [*verdict.problems, *(f"slow: {one}" for one in campaign.recoveries if one.seconds > PROMISE)]
    click.echo(_told(campaign, verdict))
    for problem in broken:
        click.echo(f"WRONG: {problem}")
    record(_results(campaign, verdict, broken), settings.home)
    click.echo("FAILED" if broken else "every promise was kept")
    sys.exit(1 if broken else 0)


async def _run(settings: Settings, seed: int, mix: Mix, faults: list[Fault], tags: int) -> tuple[Campaign, Verdict]:
    stack = Stack(settings)
    keeper = asyncio.create_task(stack.keep_up())
    try:
        campaign = await Runner(stack, seed, mix, click.echo).run(faults, tags)
        return campaign, await judge(settings, campaign)
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        stack.stop()


def _told(campaign: Campaign, verdict: Verdict) -> str:
    slowest = max((one.seconds for one in campaign.recoveries), default=0.0)
    report = campaign.report
    reads = report.profiles.correct + report.profiles.late, report.aggregates.correct + report.aggregates.late
    return "\n".join(
        [
            f"{len(campaign.recoveries)} faults in {campaign.seconds:.0f} s, right again after {slowest:.1f} s at most",
            f"{verdict.acknowledged} tags acknowledged; {verdict.unknown} sent and not acknowledged, "
            f"of which {verdict.unknown_kept} are there",
            f"meanwhile {reads[0]} profiles and {reads[1]} aggregates answered rightly, {report.profiles.wrong} and "
            f"{report.aggregates.wrong} wrongly; {campaign.requests.answers[400]} malformed requests refused",
            f"in the end {verdict.profiles} profiles (all cookies) and {verdict.letters} dead letters compared",
        ]
    )


def _results(campaign: Campaign, verdict: Verdict, broken: list[str]) -> list[Result]:
    kills = [one.seconds for one in campaign.recoveries if one.fault.action == "kill"]
    stops = [one.seconds for one in campaign.recoveries if one.fault.action == "stop"]
    return [
        Result("chaos.broken", len(broken), "promises"),
        Result("chaos.acknowledged", verdict.acknowledged, "tags"),
        Result("chaos.kills", len(kills), "kills"),
        Result("chaos.kill.recovery.p50", median(kills or [0.0]), "s"),
        Result("chaos.kill.recovery.max", max(kills, default=0.0), "s"),
        Result("chaos.stops", len(stops), "stops"),
        Result("chaos.stop.recovery.max", max(stops, default=0.0), "s"),
    ]


if __name__ == "__main__":
    main()
