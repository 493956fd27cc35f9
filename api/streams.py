"""Server-Sent Events: answers that go on until the client leaves.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple, Protocol

from api.asgi import Receive, Scope, Send

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy must not hold it back
]


class Event(NamedTuple):
    """`id` is what the client sends as `Last-Event-ID` to go on behind this one; `data` holds no line feed."""

    id: str
    name: str
    data: bytes


class Feed(Protocol):
    """What one client is sent."""

    def events(self) -> AsyncIterator[Event | None]:
        """As they happen; None says that nothing did, and that the client shall hear of it."""
        ...

    async def close(self) -> None:
        """Called once, at the end, whatever happened."""
        ...


OpenFeed = Callable[[Scope], Awaitable[Feed]]


def encode(event: Event | None) -> bytes:
    """The bytes of an event; of none a comment, which keeps the connection alive."""
    if event is None:
        return b": nothing new\n\n"
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.name.encode(), event.data)


async def send_feed(feed: Feed, receive: Receive, send: Send) -> None:
    """Sends what happens until nothing will any more, or the client is gone."""
    gone = asyncio.create_task(_gone(receive))
    sending = asyncio.create_task(_send(feed, send))
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (gone, sending):
            task.cancel()
        await asyncio.gather(gone, sending, return_exceptions=True)
        await feed.close()


async def _send(feed: Feed, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": encode(None), "more_body": True})  # so that the head goes out
    async for event in feed.events():
        await send({"type": "http.response.body", "body": encode(event), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
