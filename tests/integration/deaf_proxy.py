"""A proxy before a broker that can keep back the broker's answers: what was written then is not known to be."""

import asyncio
import struct
from contextlib import suppress

PIECE = 65_536


class DeafProxy:
    """Listens on `port`, in a running loop. Clients stay: the broker's port in its answers becomes the proxy's."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._deaf = False
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def deafen(self) -> None:
        """From now on no answer passes."""
        self._deaf = True

    def hear(self) -> None:
        """Answers pass again, on new connections: those that lost some are closed."""
        self._deaf = False
        self.drop()

    def drop(self) -> None:
        for writer in self._writers:
            writer.close()

    def close(self) -> None:
        self._server.close()
        self.drop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError, asyncio.CancelledError):  # cancelled when the test ends
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
            self._writers.add(broker_writer)
            await asyncio.gather(self._ask(reader, broker_writer), self._answer(broker_reader, writer))
            self._writers.discard(broker_writer)
            broker_writer.close()
        self._writers.discard(writer)
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, broker: asyncio.StreamWriter) -> None:
        while data := await reader.read(PIECE):
            broker.write(data)
        broker.close()

    async def _answer(self, broker: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = struct.pack(">i", self._broker_port), struct.pack(">i", self.port)
        while data := await broker.read(PIECE):
            if not self._deaf:
                writer.write(data.replace(theirs, ours))
        writer.close()
