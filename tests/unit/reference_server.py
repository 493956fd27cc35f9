"""The contract in memory and nothing else, for tests of the driver: a server whose faults a test chooses."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from testbed.oracle import epoch_ms
from testbed.queries import MINUTE_MS, bucket

Tag = dict[str, Any]


class ReferenceServer:
    """`lose(n)`: the n-th tag is acknowledged and forgotten; `refuse(n)`: it is answered 503, and kept."""

    def __init__(
        self, lose: Callable[[int], bool] = lambda _: False, refuse: Callable[[int], bool] = lambda _: False
    ) -> None:
        self.tags: list[tuple[int, Tag]] = []  # with epoch milliseconds
        self._by_cookie: dict[str, list[tuple[int, Tag]]] = {}
        self.received = 0
        self.refused = 0
        self._lose = lose
        self._refuse = refuse

    async def __aenter__(self) -> "ReferenceServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode().split("\r\n")
                length = next(int(line[15:]) for line in lines if line.lower().startswith("content-length:"))
                body = await reader.readexactly(length)
                status, answer = self._answer(lines[0].split()[1], body)
                # 204 has no body, and must not announce one.
                size = b"" if status == 204 else b"Content-Length: %d\r\n" % len(answer)
                writer.write(b"HTTP/1.1 %d Whatever\r\n%b\r\n%b" % (status, size, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, target: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        if parts.path == "/user_tags":
            return self._collect(body)
        if parts.path.startswith("/user_profiles/"):
            return 200, self._profile(unquote(parts.path.removeprefix("/user_profiles/")), query)
        return 200, self._aggregates(query)

    def _collect(self, body: bytes) -> tuple[int, bytes]:
        number, self.received = self.received, self.received + 1
        if not self._lose(number):
            tag = json.loads(body)
            self.tags.append((epoch_ms(tag["time"]), tag))
            self._by_cookie.setdefault(tag["cookie"], []).append(self.tags[-1])
        if self._refuse(number):
            self.refused += 1
            return 503, b'{"title":"try again"}'
        return 204, b""

    def _in_range(self, query: dict[str, list[str]]) -> tuple[int, int]:
        begin, end = query["time_range"][0].split("_")
        return epoch_ms(begin + "Z"), epoch_ms(end + "Z")

    def _profile(self, cookie: str, query: dict[str, list[str]]) -> bytes:
        begin, end = self._in_range(query)
        limit = int(query["limit"][0])
        answer: dict[str, Any] = {"cookie": cookie}
        for name, action in (("views", "VIEW"), ("buys", "BUY")):
            mine = [timed for timed in self._by_cookie.get(cookie, ()) if timed[1]["action"] == action]
            mine = sorted((timed for timed in mine if begin <= timed[0] < end), key=lambda timed: -timed[0])
            answer[name] = [tag for _, tag in mine[:limit]]
        return json.dumps(answer).encode()

    def _aggregates(self, query: dict[str, list[str]]) -> bytes:
        begin, end = self._in_range(query)
        names = [name for name in ("origin", "brand_id", "category_id") if name in query]
        fixed = [query["action"][0], *(query[name][0] for name in names)]
        minutes: dict[int, list[int]] = {at: [] for at in range(begin, end, MINUTE_MS)}
        for time, tag in self.tags:
            values = [tag["action"], *((tag | tag["product_info"])[name] for name in names)]
            minute = time // MINUTE_MS * MINUTE_MS
            if values == fixed and minute in minutes:
                minutes[minute].append(tag["product_info"]["price"])
        cells = {"COUNT": lambda prices: str(len(prices)), "SUM_PRICE": lambda prices: str(sum(prices))}
        rows = [
            [bucket(minute), *fixed, *(cells[name](prices) for name in query["aggregates"])]
            for minute, prices in minutes.items()
        ]
        columns = ["1m_bucket", "action", *names, *(name.lower() for name in query["aggregates"])]
        return json.dumps({"columns": columns, "rows": rows}).encode()
