"""`POST /user_tags`: one tag, 204 once it is durable."""

from typing import Final

from api import metrics
from api.asgi import NO_CONTENT, Receive, Response, Scope, read_body
from api.collect.collector import Clock, Collector
from api.collect.lane import shard_of
from api.problems import invalid
from contracts.tags import InvalidTag, check_not_future, decode_tag, encode_tag, event_time

# The contract's longest strings, all escaped, take less.
_LARGEST_TAG_BYTES: Final = 65_536


class TagHandler:
    """Validates, hands to the collector, waits for the broker."""

    def __init__(self, collector: Collector, clock: Clock) -> None:
        self._collector = collector
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive) -> Response:
        load = self._collector.load
        if load.refuses:
            return await load.refusal()
        body = await read_body(receive, _LARGEST_TAG_BYTES)
        now = self._clock()
        try:
            tag = decode_tag(body)
            time = event_time(tag)
            check_not_future(time, now)
        except InvalidTag as error:
            metrics.REJECTED.labels(error.field).inc()
            raise invalid(error.field, error.reason) from None
        await load.until(self._collector.add(shard_of(tag.cookie), encode_tag(tag), time, now))
        return NO_CONTENT
