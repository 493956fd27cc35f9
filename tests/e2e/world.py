"""All that tests have sent to one running stack, and the oracle that knows it.

Tests share the stack and its oracle: what one sends, the questions of the others see too, and must.
"""

import gzip
import http.client
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

import zstandard
from confluent_kafka import Producer

from contracts.codec import encode_lines
from contracts.settings import Settings
from contracts.tags import UserTag, encode_tag
from testbed.judge import Difference
from testbed.oracle import Oracle, epoch_ms
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery

PATIENCE: Final = 400.0  # seconds until an answer must be right; far beyond what is promised: CI is slow, and busy
POLL: Final = 0.1
Query = ProfileQuery | AggregateQuery
ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


class Answer(NamedTuple):
    """An HTTP answer; `headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class World:
    """Sends tags in any of the ways there are, and asks until the answers agree with the oracle."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.oracle = Oracle(grace=0.0)
        self._producer = Producer({"bootstrap.servers": settings.bootstrap_servers})

    def close(self) -> None:
        self._producer.flush(PATIENCE)

    def call(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """One HTTP call, on a connection of its own: kept ones end when a test kills the API."""
        with closing(http.client.HTTPConnection(self.settings.host, self.settings.api.port, timeout=PATIENCE)) as one:
            one.request(method, target, body, headers or {})
            response = one.getresponse()
            names = {key.lower(): value for key, value in response.getheaders()}
            return Answer(response.status, names, response.read())

    def post(self, tag: UserTag) -> None:
        """By the contract's call."""
        answer = self.call("POST", "/user_tags", encode_tag(tag))
        assert (answer.status, answer.body) == (204, b"")
        self.oracle.add(tag)

    def post_bulk(self, tags: Sequence[UserTag], encoding: str = "identity") -> None:
        """All in one call; `encoding`: identity, gzip or zstd."""
        body = ENCODERS[encoding](encode_lines(tags))
        answer = self.call("POST", "/v1/user-tags", body, {"Content-Encoding": encoding})
        assert (answer.status, answer.json()) == (202, {"accepted": len(tags), "rejected": 0, "errors": []})
        self._know(tags)

    def produce(self, tags: Sequence[UserTag], times: int = 1, partition: int = 0) -> None:
        """As one record of a plain producer, written so many times: each is an event of its own."""
        for _ in range(times):
            self.produce_bytes(encode_lines(tags), partition)
            self._know(tags)

    def produce_bytes(self, value: bytes, partition: int = 0) -> None:
        """Straight to the topic; returns when the broker has it."""
        errors: list[object] = []
        self._producer.produce(
            self.settings.topics.user_tags.name,
            value,
            partition=partition,
            on_delivery=lambda error, _: errors.append(error),
        )
        assert self._producer.flush(PATIENCE) == 0
        assert errors == [None]

    def sql(self, statement: str, parameters: dict[str, object]) -> list[list[Any]]:
        """Rows of `/api/v1/sql`."""
        body = json.dumps({"query": statement, "parameters": parameters}).encode()
        answer = self.call("POST", "/api/v1/sql", body, {"Content-Type": "application/json"})
        assert answer.status == 200, answer.body
        return [list(row.values()) for row in answer.json()["data"]]

    def _know(self, tags: Iterable[UserTag]) -> None:
        for tag in tags:
            self.oracle.add(tag)

    def check(self, query: Query, method: str = "POST") -> Difference | None:
        """Asks once: what is wrong with the answer."""
        answer = self.call(method, query.target())
        if answer.status != 200:
            return Difference(query.target(), f"status {answer.status}", "200", answer.body.decode())
        if isinstance(query, ProfileQuery):
            return self.oracle.check_profile(query, answer.body)
        return self.oracle.check_aggregates(query, answer.body)

    def agree(self, queries: Iterable[Query], method: str = "POST") -> None:
        """Returns when every answer has been right once; fails with the difference that stays."""
        for query in queries:
            if isinstance(query, AggregateQuery) or self.oracle.judgeable(query):
                wait_until(lambda query=query: self.check(query, method))  # type: ignore[misc]  # a default argument


def wait_until(wrong: Callable[[], object], patience: float = PATIENCE) -> None:
    """Returns when `wrong()` is None; fails with what it last said."""
    deadline = time.monotonic() + patience
    while (reason := wrong()) is not None:
        assert time.monotonic() < deadline, reason
        time.sleep(POLL)


def questions(tags: Iterable[UserTag]) -> list[Query]:
    """What the tags' cookies and minutes should say: whole profiles, each minute by action, one filtered thrice."""
    queries: list[Query] = []
    for tag in tags:
        at = epoch_ms(tag.time)
        minute = at // MINUTE_MS * MINUTE_MS
        product = tag.product_info
        around = AggregateQuery(minute, minute + MINUTE_MS, tag.action, ("COUNT", "SUM_PRICE"))
        queries += [
            ProfileQuery(tag.cookie, 0, at + 1),
            ProfileQuery(tag.cookie, max(0, at - 2), at + 3, 1),
            around,
            around._replace(origin=tag.origin, brand_id=product.brand_id, category_id=product.category_id),
        ]
    return list(dict.fromkeys(queries))
