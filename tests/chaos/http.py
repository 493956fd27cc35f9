"""Calls besides the driver's, on connections of their own."""

import asyncio
from typing import Final

from contracts.settings import Settings
from testbed.wire import Pool, Requests, Response

GIVE_UP: Final = 10.0  # seconds; as long as the API waits for its broker
LOOK: Final = 0.25  # seconds between looks for calls that take too long


class Http:
    """POST to the API; a call that fails has the status testbed.wire.FAILED."""

    def __init__(self, settings: Settings, connections: int) -> None:
        self._requests = Requests(settings.host, settings.api.port, settings.api.token)
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(settings.host, settings.api.port, connections, self._loop)
        self._house = self._loop.create_task(self._keep_house())

    async def post(self, target: str, body: bytes = b"") -> Response:
        return await self._pool.get(self._requests.post(target, body), GIVE_UP)

    def close(self) -> None:
        self._house.cancel()
        self._pool.close()

    async def _keep_house(self) -> None:
        while True:
            self._pool.give_up(self._loop.time())
            await asyncio.sleep(LOOK)
