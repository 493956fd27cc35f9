"""Reading a profile of 200 views and 200 buys from the LMDB store, beside SQLite, which is what one would try first."""

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from analysis.profiles import Profile, ProfileEvent, ProfileUpdate, identity
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from contracts.settings import Profiles
from contracts.tags import encode_tag, event_time
from stores.profiles_lmdb import LmdbProfiles
from testbed.generator import Traffic

SEED: Final = 4
TOPIC: Final = UUID(int=SEED)
COOKIES: Final = 200
EACH: Final = 200  # views, and as many buys
STEPS: Final = 40  # writes in which a profile came together, as it would from the job
READS: Final = 4000
RUNS: Final = 3
RIVAL: Final = "SQLite, a row an event"

SCHEMA: Final = """
CREATE TABLE events (cookie TEXT, action TEXT, time INT, identity BLOB, json BLOB,
    PRIMARY KEY (cookie, action, time DESC, identity DESC)) WITHOUT ROWID
"""
NEWEST: Final = "SELECT time, identity, json FROM events WHERE cookie = ? AND action = ? LIMIT 200"


def run() -> list[Result]:
    """Medians of three runs, each of reads in a random order; every answer is compared with what was written."""
    click.echo(f"seed {SEED}: {COOKIES} cookies, {EACH} views and {EACH} buys each, {READS} reads a run")
    written = {f"cookie-{number}": _profile(number) for number in range(COOKIES)}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = _lmdb(Path(folder) / "lmdb", written), _sqlite(Path(folder) / "sqlite", written)
        medians = [(_median(ours, written), _median(theirs, written)) for _ in range(RUNS)]
    value, rival = (statistics.median(times) for times in zip(*medians, strict=True))
    return [Result("profile_read", value, "ms", RIVAL, rival)]


def _profile(number: int) -> Profile:
    traffic = Traffic(SEED + number)
    lists: dict[str, list[ProfileEvent]] = {"VIEW": [], "BUY": []}
    index = 0
    while min(map(len, lists.values())) < EACH:
        tag = traffic.tag(index)
        tag.cookie = f"cookie-{number}"
        events = lists[tag.action]
        if len(events) < EACH:
            place = identity(TOPIC, number % 2, index // 200, index % 200)
            events.append(ProfileEvent(event_time(tag), place, encode_tag(tag)))
        index += 1
    return Profile(lists["VIEW"][::-1], lists["BUY"][::-1])


def _lmdb(path: Path, written: dict[str, Profile]) -> Callable[[str], Profile]:
    store = LmdbProfiles(path, Profiles(), writable=True)
    for step in range(STEPS):
        part = slice(step, None, STEPS)
        store.update({cookie: ProfileUpdate(one.views[part], one.buys[part]) for cookie, one in written.items()})
    return store.read


def _sqlite(path: Path, written: dict[str, Profile]) -> Callable[[str], Profile]:
    database = sqlite3.connect(path)
    database.execute(SCHEMA)
    for cookie, profile in written.items():
        for action, events in (("VIEW", profile.views), ("BUY", profile.buys)):
            database.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)", [(cookie, action, *event) for event in events]
            )
    database.commit()

    def newest(cookie: str, action: str) -> list[ProfileEvent]:
        rows: Any = database.execute(NEWEST, (cookie, action)).fetchall()
        return list(map(ProfileEvent._make, rows))

    return lambda cookie: Profile(newest(cookie, "VIEW"), newest(cookie, "BUY"))


def _median(read: Callable[[str], Profile], written: dict[str, Profile]) -> float:
    """Milliseconds."""
    dice = random.Random(SEED)  # noqa: S311  # repeatable
    times = []
    for cookie in dice.choices(list(written), k=READS):
        begin = time.perf_counter()
        profile = read(cookie)
        times.append(time.perf_counter() - begin)
        if profile != written[cookie]:
            raise BenchmarkFailed(f"the profile of {cookie} is not what was written")
    return statistics.median(times) * 1000
