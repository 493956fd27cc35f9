"""What an event takes on disk as profiles grow: 20,000 cookies, as the job writes them, from 1 to 40 events each.

A fiftieth of a million cookies, and updates that are a fiftieth of the job's: each brings an event to some of the
cookies, which is what makes the file what it is. Fails when an event takes over 100 bytes with 20 a cookie.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import click
import pyarrow as pa

from analysis.profile_updates import updates_of
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.events import Stream
from contracts.events import PLACE_FIELDS
from contracts.settings import Profiles
from stores.profiles_lmdb import LmdbProfiles

SEED: Final = 5
TOPIC: Final = UUID(int=SEED)
COOKIES: Final = 20_000
UPDATE: Final = 400  # events
LOOKED_AT: Final = (1, 2, 5, 10, 20, 40)  # events a cookie
JUDGED: Final = 20
MOST_BYTES: Final = 100.0


def run() -> list[Result]:
    """The size of the file, free pages and all, by how many events there are of a cookie."""
    stream = Stream(SEED, COOKIES * max(LOOKED_AT), a_minute=600_000, groups=10_000, cookies=COOKIES)
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        store = LmdbProfiles(Path(folder), Profiles(), writable=True)
        for written, events in placed(stream, UPDATE):
            store.update(updates_of(events, TOPIC, 0))
            each, rest = divmod(written, COOKIES)
            if not rest and each in LOOKED_AT:
                sizes[each] = (Path(folder) / "data.mdb").stat().st_blocks * 512 / written
                click.echo(f"{each:>4} a cookie {sizes[each]:6.0f} bytes an event")
        store.close()
    results = [Result(f"profile_disk.{each}_a_cookie", size, "bytes an event") for each, size in sizes.items()]
    if sizes[JUDGED] > MOST_BYTES:
        raise BenchmarkFailed(f"an event takes {sizes[JUDGED]:.0f} bytes where there are {JUDGED} a cookie", results)
    return results


def placed(stream: Stream, rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """How many events there are with this batch of so many `rows`, and the batch with its place in a log."""
    written = 0
    for number, events in enumerate(stream.batches(rows)):
        places = [[number] * events.num_rows, range(events.num_rows), [0] * events.num_rows]
        columns = [pa.array(place, field.type) for place, field in zip(places, PLACE_FIELDS, strict=True)]
        names = [*events.schema.names, *(field.name for field in PLACE_FIELDS)]
        written += events.num_rows
        yield written, pa.RecordBatch.from_arrays([*events.columns, *columns], names=names)
