"""How fresh profiles are: the time from a tag's acknowledgement until a profile shows it."""

import asyncio
import time
from typing import Final

from contracts.tags import encode_tag
from testbed.driver import Driver
from testbed.queries import ProfileQuery

EVERY: Final = 0.05  # seconds between two looks: the measure's grain


async def watch(driver: Driver) -> None:
    """Follows the newest acknowledged tag until it is seen, then the next, into the report; ends when cancelled."""
    index = -1
    while True:
        while driver.newest_acknowledged == index:
            await asyncio.sleep(EVERY)
        index = driver.newest_acknowledged
        await _until_seen(driver, index)
        driver.report.freshness.append(time.monotonic() - driver.oracle.acknowledged(index))


async def _until_seen(driver: Driver, index: int) -> None:
    """Returns when the tag is seen, at the latest after the oracle's grace; a call that fails is tried again."""
    at = driver.traffic.time(index)
    tag = driver.traffic.tag(index)
    line = encode_tag(tag)
    query = ProfileQuery(tag.cookie, at, at + 1)
    end = time.monotonic() + driver.oracle.grace
    while time.monotonic() < end:
        response = await driver.ask(query)
        if line in response.body:
            return
        await asyncio.sleep(EVERY)
