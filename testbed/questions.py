"""Which questions the driver asks: seeded, drawn from what the traffic holds, and only such as can be judged."""

import random
from typing import Final

from testbed.generator import Traffic
from testbed.oracle import Oracle
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery

STRANGERS: Final = 0.03  # share of profile queries for cookies that nobody has
RECENT: Final = 20_000  # tags from the end of what is settled that half of the queries are about
LONGEST_MINUTES: Final = 10  # of an aggregates' range, as the course asks


class Questions:
    """Questions about the first `settled` tags of the traffic, which must be seen by now."""

    def __init__(self, traffic: Traffic, oracle: Oracle, seed: int) -> None:
        self._traffic = traffic
        self._oracle = oracle
        self._random = random.Random(seed)  # noqa: S311  # a choice of test questions, not a secret
        self.unjudgeable = 0  # questions that the newest 256 of a list could not have answered, asked otherwise

    def profile(self, settled: int) -> ProfileQuery:
        """A range that ends before the first tag which is not settled, for a cookie of the traffic mostly."""
        for _ in range(10):
            query = self._draw_profile(settled)
            if self._oracle.judgeable(query):
                return query
            self.unjudgeable += 1
        return ProfileQuery(self._stranger(), self._traffic.start_ms, self._traffic.time(settled))

    def aggregates(self, settled: int) -> AggregateQuery:
        """Whole minutes of which every tag is settled, or of before the traffic."""
        draw = self._random
        first = self._traffic.start_ms // MINUTE_MS
        closed = self._traffic.time(settled) // MINUTE_MS
        end = closed if draw.random() < 0.5 else draw.randint(min(first + 1, closed), closed)
        begin = end - draw.randint(1, LONGEST_MINUTES)
        tag = self._traffic.tag(self._index(settled)) if settled else self._traffic.tag(0)
        product = tag.product_info
        return AggregateQuery(
            begin * MINUTE_MS,
            end * MINUTE_MS,
            draw.choice(("VIEW", "BUY")),
            draw.choice((("COUNT",), ("SUM_PRICE",), ("COUNT", "SUM_PRICE"), ("SUM_PRICE", "COUNT"))),
            tag.origin if draw.random() < 0.5 else None,
            product.brand_id if draw.random() < 0.5 else None,
            product.category_id if draw.random() < 0.5 else None,
        )

    def sweep(self, sent: int, profiles: int) -> list[ProfileQuery | AggregateQuery]:
        """The last check of a run: all minutes in total, the busiest cookies and a sample of the others."""
        begin, end = self._traffic.start_ms, self._traffic.time(sent)
        questions: list[ProfileQuery | AggregateQuery] = []
        last = -(-end // MINUTE_MS) * MINUTE_MS
        for at in range(begin // MINUTE_MS * MINUTE_MS, last, LONGEST_MINUTES * MINUTE_MS):
            until = min(at + LONGEST_MINUTES * MINUTE_MS, last)
            questions += [AggregateQuery(at, until, action, ("COUNT", "SUM_PRICE")) for action in ("VIEW", "BUY")]
        busy = [self._traffic.cookie(index) for index in range(min(20, self._traffic.cookies))]
        others = [self._traffic.tag(self._index(sent)).cookie for _ in range(profiles if sent else 0)]
        return questions + [ProfileQuery(cookie, begin, end) for cookie in dict.fromkeys(busy + others)]

    def _index(self, settled: int) -> int:
        """The number of a settled tag, half of the time a recent one."""
        first = max(0, settled - RECENT) if self._random.random() < 0.5 else 0
        return self._random.randrange(first, settled)

    def _draw_profile(self, settled: int) -> ProfileQuery:
        traffic, draw = self._traffic, self._random
        if not settled or draw.random() < STRANGERS:
            return ProfileQuery(self._stranger(), traffic.start_ms, traffic.time(settled))
        index = self._index(settled)
        cookie = traffic.cookie_of(index)
        latest, at = traffic.time(settled), traffic.time(index)
        kind = draw.random()
        if kind < 0.4:
            return ProfileQuery(cookie, traffic.start_ms, latest)
        if kind < 0.6:
            return ProfileQuery(cookie, traffic.start_ms, latest, draw.randint(0, 200))
        if kind < 0.8:  # a few milliseconds around a tag
            begin = at - draw.randrange(5)
            return ProfileQuery(cookie, begin, min(begin + 5, latest))
        return ProfileQuery(cookie, at - draw.randrange(5_000), max(at, latest - draw.randrange(1_000)))

    def _stranger(self) -> str:
        return self._traffic.cookie(self._traffic.cookies + self._random.randrange(2**32))
