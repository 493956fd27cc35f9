"""`python -m tests.chaos.incidents`: incidents go the whole way, from points over HTTP to a webhook, while parts of the
way are killed. Each must be told once when it begins and once when it is over, and stand so in the topic of alerts.
"""

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import click
import msgspec
import yaml
from pydantic import SecretStr

from alerts.message import Message
from benchmarks.results import Result, record
from cli import rule_topic
from contracts.alerts import decode
from contracts.rule_sets import parse
from contracts.settings import Settings
from contracts.settings_source import load
from contracts.watched_bins import LEAD_MS
from infra import topic_records
from testbed.faults import PYTHON_WORKER
from tests.chaos import stack as acts
from tests.chaos.http import Http
from tests.chaos.stack import Stack
from tests.integration.postgres import Postgres, programs
from tests.unit.http_receiver import HttpReceiver, http_receiver

FOLDER: Final = Path("var/incidents")
METRIC: Final = "incident"
BIN_MS: Final = 10_000
RULE: Final = {
    "name": METRIC,
    "kind": "threshold",
    "select": {"metric": METRIC},
    "stat": "max",
    "above": 5,
    "bin": "10s",
}
STORE: Final = "alert-store"
RECEIVER: Final = "receiver"
PARTS: Final = ("kafka", "flink-taskmanager", "flink-jobmanager", PYTHON_WORKER, "alerts", STORE, RECEIVER)
AWAY: Final = 8.0  # seconds that store and receiver are away
HELD: Final = 25  # accepted calls, a second apart, for which an incident lasts: more than two bins
GIVE_UP: Final = 300.0
SECRET: Final = "known to both"  # noqa: S105  # of the test's webhook


class Source:
    """Sends a gauge for each incident, once a second: above the rule's threshold while it lasts."""

    def __init__(self, http: Http, count: int, pause: float) -> None:
        self._http, self._count, self._pause = http, count, pause
        self._accepted: dict[int, int] = {}  # calls, by the number of an incident that began

    async def run(self) -> None:
        """Until the last one is over; the caller cancels what then keeps the clock of the bins going."""
        began = time.monotonic()
        while True:
            due = min(self._count, int((time.monotonic() - began) / self._pause) + 1)
            for number in range(len(self._accepted), due):
                self._accepted[number] = 0
            await asyncio.gather(self._send(), asyncio.sleep(1))

    @property
    def is_over(self) -> bool:
        return len(self._accepted) == self._count and not self._lasting()

    def _lasting(self) -> list[int]:
        return [number for number, calls in self._accepted.items() if calls < HELD]

    async def _send(self) -> None:
        lasting, now = self._lasting(), time.time_ns() // 1_000_000
        points = [
            {"name": METRIC, "labels": {"number": str(number)}, "time": now, "value": 10.0 * (number in lasting)}
            for number in range(self._count)
        ]
        answer = await self._http.post("/v1/points", b"\n".join(json.dumps(point).encode() for point in points))
        if answer.status == 202:
            for number in lasting:
                self._accepted[number] += 1


class Faults:
    """Strikes one part after another, at random moments."""

    def __init__(self, stack: Stack, store: Postgres, receiver: HttpReceiver, seed: int) -> None:
        self._stack, self._store, self._receiver = stack, store, receiver
        self._dice = random.Random(seed)  # noqa: S311  # repeatable

    async def run(self, count: int, seconds: float) -> None:
        """So many over so many seconds, every part in turn before one comes again."""
        turns = [part for _ in range(count) for part in self._dice.sample(PARTS, len(PARTS))][:count]
        moments = sorted(self._dice.uniform(0, seconds) for _ in turns)
        began = time.monotonic()
        for part, moment in zip(turns, moments, strict=True):
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            click.echo(f"[{time.monotonic() - began:6.1f} s] {part}")
            await self._strike(part)

    async def _strike(self, part: str) -> None:
        if part == STORE:
            await asyncio.to_thread(self._store.kill)
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(self._store.start)
        elif part == RECEIVER:
            self._receiver.answers = [503] * 10_000
            await asyncio.sleep(AWAY)
            self._receiver.answers = []
        else:
            acts.kill((await asyncio.to_thread(self._stack.processes, part))[:1])


Change = tuple[str, str]  # the number of an incident, and whether it began or is over


class Told(NamedTuple):
    """A message as the receiver first took it, `late` seconds after the bin in which it began; further copies of it."""

    message: Message
    late: float
    copies: int


class Plan(NamedTuple):
    """So many incidents, `pause` seconds from one beginning to the next, and so many faults meanwhile."""

    seed: int
    incidents: int
    pause: float
    faults: int


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--incidents", type=click.IntRange(1), default=50, show_default=True)
@click.option("--pause", type=click.FloatRange(1), default=10.0, show_default=True, help="Seconds between beginnings.")
@click.option("--faults", type=click.IntRange(0), default=14, show_default=True, help="0 measures the latency alone.")
def main(seed: int, incidents: int, pause: float, faults: int) -> None:
    """Start a stack on var/incidents, wiped first, and let incidents begin and end while parts are killed.

    Exit status 1 when one of them was not told, or told twice.
    """
    plan = Plan(seed, incidents, pause, faults)
    click.echo(f"seed {seed}")
    with http_receiver() as receiver, _postgres() as store:
        settings = _settings(receiver, store)
        published = asyncio.run(_run(settings, receiver, store, plan))
        told = _told(receiver)
    late = sorted(one.late for one in told.values() if one.message.event == "firing")
    changes = {(str(number), event): 1 for number in range(incidents) for event in ("firing", "resolved")}
    heard = Counter(_change(one.message) for one in told.values())
    wrong = [*_compare("the receiver heard", heard, changes), *_compare("the topic holds", published, changes)]
    copies = sum(one.copies for one in told.values())
    click.echo(f"{incidents} incidents, {faults} faults; {copies} copies came twice, with the same key")
    click.echo(f"from the end of the bin to the receiver: {median(late):.1f} s at the median, {late[-1]:.1f} s at most")
    for problem in wrong:
        click.echo(f"WRONG: {problem}")
    name = "incidents" if faults else "incidents.quiet"
    record([Result(f"{name}.broken", len(wrong), "incidents")], settings.home)
    record([Result(f"{name}.told.p50", median(late), "s"), Result(f"{name}.told.max", late[-1], "s")], settings.home)
    sys.exit(1 if wrong else 0)


async def _run(settings: Settings, receiver: HttpReceiver, store: Postgres, plan: Plan) -> Counter[Change]:
    """Until the receiver has heard the end of every incident, or some minutes of waiting; what the topic holds then."""
    stack = Stack(settings)
    keeper = asyncio.create_task(stack.keep_up())
    http = Http(settings, 4)
    source = Source(http, plan.incidents, plan.pause)
    sending: asyncio.Task[None] | None = None
    wanted = {(str(number), "resolved") for number in range(plan.incidents)}
    try:
        await _until(stack.is_ready, "the platform")
        rules = parse(yaml.safe_dump({"rules": [RULE]}), METRIC)
        rule_topic.write(settings, rule_topic.wanted(settings, {}, rules))
        await asyncio.sleep((LEAD_MS + BIN_MS) / 1000)  # until there are bins of ten seconds
        sending = asyncio.create_task(source.run())
        await Faults(stack, store, receiver, plan.seed).run(plan.faults, plan.incidents * plan.pause)
        await _until(lambda: source.is_over, "the last incident", plan.incidents * plan.pause + GIVE_UP)
        with suppress(TimeoutError):  # then it is told which of them are missing
            await _until(lambda: wanted <= {_change(one.message) for one in _told(receiver).values()}, "the last word")
        await _until(stack.is_ready, "the platform")
        return await asyncio.to_thread(_published, settings)
    finally:
        for task in (sending, keeper):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        http.close()
        stack.stop()


def _told(receiver: HttpReceiver) -> dict[str, Told]:
    """What it answered with 2xx, by the messages' keys."""
    with receiver.lock:
        calls = [call for call in receiver.calls if call.status < 300]
    told: dict[str, Told] = {}
    for call in calls:
        for message in msgspec.convert(call.json["messages"], list[Message]):
            late = call.at - (message.alert.starts_at + BIN_MS) / 1000
            first = told.get(message.key, Told(message, late, -1))
            told[message.key] = first._replace(copies=first.copies + 1)
    return told


def _change(message: Message) -> Change:
    return message.alert.labels["number"], message.event


def _published(settings: Settings) -> Counter[Change]:
    """What a reader of committed transactions finds."""
    held = [decode(message.value() or b"") for message in topic_records.held(settings, settings.topics.alerts)]
    return Counter((alert.labels["number"], alert.status) for alert in held if alert.rule == METRIC)


def _compare(who: str, found: Counter[Change], wanted: dict[Change, int]) -> Iterator[str]:
    for change in sorted({*found, *wanted}):
        if found[change] != wanted.get(change, 0):
            yield f"{who} of incident {change[0]} that it is {change[1]}: {found[change]} times"


def _settings(receiver: HttpReceiver, store: Postgres) -> Settings:
    """Those of the environment, on a folder that is wiped, with routes to the receiver."""
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir(parents=True)
    hook = {"kind": "webhook", "url": receiver.url, "secret": SECRET}
    routes = [
        {
            "name": METRIC,
            "match": [f'rule="{METRIC}"'],
            "receivers": ["hook"],
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
        },
        {"name": "others", "receivers": ["log"]},
    ]
    file = FOLDER / "routes.yml"
    file.write_text(yaml.safe_dump({"receivers": {"hook": hook, "log": {"kind": "log"}}, "routes": routes}))
    found = load()
    alerts = found.alerts.model_copy(update={"routes": str(file.absolute()), "store_url": SecretStr(store.url)})
    return found.model_copy(update={"state_dir": FOLDER, "alerts": alerts})


@contextmanager
def _postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory() as folder:
        store = Postgres(Path(folder), programs())
        try:
            yield store
        finally:
            store.stop()


async def _until(condition: Callable[[], bool], what: str, seconds: float = GIVE_UP) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited too long for {what}")
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    main()
