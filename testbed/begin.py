"""Where in event time a run begins: the oracle is right only about minutes in which nobody else was."""

import asyncio
import uuid
from typing import Final

import msgspec

from testbed.generator import START_MS
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery
from testbed.questions import LONGEST_MINUTES
from testbed.wire import FAILED, Pool, Requests

# Ten seconds before a minute ends: at 1000 tags/s that minute is judged after twenty seconds of a run.
FIRST_MS: Final = START_MS + 50_000
DAY_MS: Final = 86_400_000
DAYS: Final = 1000
TIMEOUT: Final = 30.0


class BeginError(Exception):
    """The run cannot begin; the message says why and what to do."""


async def check_unused(pool: Pool, requests: Requests, start_ms: int, length_ms: int) -> bool:
    """Whether no tag lies between the ten minutes before `start_ms` and the minute in which the run will end.

    BeginError when the API does not answer as it should.
    """
    first = start_ms // MINUTE_MS - LONGEST_MINUTES
    last = (start_ms + length_ms) // MINUTE_MS + 1
    for begin in range(first, last, LONGEST_MINUTES):
        end = min(begin + LONGEST_MINUTES, last)
        for action in ("VIEW", "BUY"):
            query = AggregateQuery(begin * MINUTE_MS, end * MINUTE_MS, action, ("COUNT",))
            if await _count(pool, requests, query):
                return False
    return True


async def find_unused(pool: Pool, requests: Requests, length_ms: int) -> int:
    """The first start that is free: the same time of each day from 2022-03-01 on."""
    days = -(-length_ms // DAY_MS)
    for day in range(0, DAYS, days):
        start_ms = FIRST_MS + day * DAY_MS
        if await check_unused(pool, requests, start_ms, length_ms):
            return start_ms
    raise BeginError("no unused day was found: name one by --start, or wipe the state folder")


async def wait_answering(pool: Pool, requests: Requests, seconds: float) -> None:
    """Returns when the API answers a profile; BeginError when it does not within `seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    request = requests.post(ProfileQuery(f"nobody-{uuid.uuid4().hex}", START_MS, START_MS + 1).target())
    while True:
        response = await pool.get(request, TIMEOUT)
        if response.status == 200:
            return
        if loop.time() > deadline:
            why = response.body.decode("utf-8", "replace")[:300]
            status = "" if response.status == FAILED else f"status {response.status}, "
            raise BeginError(f"the API at {pool.host}:{pool.port} does not answer ({status}{why}): is it up?")
        await asyncio.sleep(0.2)


async def _count(pool: Pool, requests: Requests, query: AggregateQuery) -> int:
    response = await pool.get(requests.post(query.target()), TIMEOUT)
    try:
        if response.status == 200:
            return sum(int(row[-1]) for row in msgspec.json.decode(response.body)["rows"])
    except (msgspec.DecodeError, KeyError, ValueError, TypeError):
        pass  # told below, with what came
    text = response.body.decode("utf-8", "replace")[:300]
    raise BeginError(f"the API did not answer {query.target()}: status {response.status}, {text}")
