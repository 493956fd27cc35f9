"""Random tags of any age, spelling and alphabet."""

import random
import time
from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple

from hypothesis import strategies as st

from contracts.tags import ProductInfo, UserTag
from testbed.oracle import epoch_ms
from testbed.queries import AggregateQuery, ProfileQuery

MINUTE_MS: Final = 60_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Streams years apart, the last of them ends now.
ERAS: Final = (0, 951_782_400_000, 1_646_092_800_000, int(time.time()) * 1000 - 600_000)
# A new run on a stack that is kept would otherwise meet the tags of the last.
RUN: Final = random.SystemRandom().randrange(2**32)

WORDS: Final = st.one_of(
    st.sampled_from(
        ["Nike", "A & B", "a/b?c=d", "100%", "+", "Ünïcode ✓", "日本語", "' OR 1=1 --", "\\", '"quoted"', "\t"]
    ),
    # Any text that UTF-8 can write.
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)
COOKIES: Final = st.sampled_from([f"{RUN}-{name}" for name in ("a", "b", "Ünïcode", "a/b?c%20d#e f", "..", "日本")])
INT64: Final = st.integers(-(2**63), 2**63 - 1)


def spell(moment: int, kind: str) -> int | str:
    """An instant in one of the ways in which clients write it."""
    if kind == "number":
        return moment
    text = (EPOCH + timedelta(milliseconds=moment)).strftime("%Y-%m-%dT%H:%M:%S")
    if kind == "offset":
        shifted = (EPOCH + timedelta(milliseconds=moment + 90 * MINUTE_MS)).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{shifted}.{moment % 1000:03d}+01:30"
    if kind == "fine":
        return f"{text}.{moment % 1000:03d}999Z"
    return f"{text}.{moment % 1000:03d}Z" if moment % 1000 else f"{text}Z"


MOMENTS: Final = st.builds(
    lambda era, seconds, millisecond: era + seconds * 1000 + millisecond,
    st.sampled_from(ERAS),
    st.sampled_from([0, 1, 30, 59, 60, 119, 299]),  # minutes late, and out of order
    st.sampled_from([0, 1, 2, 500, 999]),
)
TAGS: Final = st.builds(
    UserTag,
    time=st.builds(spell, MOMENTS, st.sampled_from(["text", "text", "number", "offset", "fine"])),
    cookie=COOKIES,
    country=WORDS,
    device=st.sampled_from(["PC", "MOBILE", "TV"]),
    action=st.sampled_from(["VIEW", "BUY"]),
    origin=WORDS,
    product_info=st.builds(
        ProductInfo,
        product_id=st.one_of(st.sampled_from([0, 1, "0", "1"]), INT64, WORDS),
        brand_id=WORDS,
        category_id=WORDS,
        price=st.one_of(st.integers(-5, 5), st.integers(-(2**31), 2**31 - 1)),
    ),
)


class Delivery(NamedTuple):
    """Some tags and their way: post, bulk in some encoding, record, or twice (the same record written two times)."""

    way: str
    tags: list[UserTag]


WAYS: Final = ("post", "identity", "gzip", "zstd", "record", "twice")
DELIVERIES: Final = st.lists(
    st.builds(Delivery, st.sampled_from(WAYS), st.lists(TAGS, min_size=1, max_size=6)),
    min_size=1,
    max_size=6,
)


class Question(NamedTuple):
    """A query to be made of one of the tags that were sent, by its number from the end of all of them."""

    tag: int
    before: int  # milliseconds from the begin of what is asked to the tag
    length: int  # of what is asked, for aggregates in minutes
    limit: int
    aggregates: tuple[str, ...]
    filters: tuple[bool, bool, bool]  # by which of origin, brand, category
    odd: str  # in place of the first filter's value, unless empty

    def about(self, tag: UserTag) -> ProfileQuery | AggregateQuery:
        """Of the tag's cookie when there is a limit, else of its minute."""
        at = epoch_ms(tag.time)
        if self.limit >= 0:
            begin = max(0, at - self.before)
            return ProfileQuery(tag.cookie, begin, begin + self.length, self.limit)
        begin = max(0, (at - self.before) // MINUTE_MS * MINUTE_MS)
        product = tag.product_info
        given = [self.odd or tag.origin, product.brand_id, product.category_id]
        origin, brand, category = (value if wanted else None for value, wanted in zip(given, self.filters, strict=True))
        end = begin + (1 + self.length % 10) * MINUTE_MS
        return AggregateQuery(begin, end, tag.action, self.aggregates, origin, brand, category)


QUESTIONS: Final = st.lists(
    st.builds(
        Question,
        tag=st.integers(0, 50),
        before=st.sampled_from([0, 1, 999, MINUTE_MS, 5 * MINUTE_MS, 10**9]),
        length=st.sampled_from([1, 2, 1000, MINUTE_MS, 2 * 10**9]),
        limit=st.sampled_from([-1, -1, -1, 0, 1, 2, 200]),
        aggregates=st.sampled_from([("COUNT",), ("SUM_PRICE",), ("SUM_PRICE", "COUNT"), ("COUNT", "SUM_PRICE")]),
        filters=st.tuples(st.booleans(), st.booleans(), st.booleans()),
        odd=st.sampled_from(["", "", "nobody's"]),
    ),
    max_size=8,
)
