"""Hypothesis strategies for tags and records, shared by the tests of codec, blocks and counting."""

from typing import Any, Final

from hypothesis import strategies as st

from contracts.codec import Record, encode_arrow, encode_lines
from contracts.events import events_of
from contracts.tags import ACTIONS, DEVICES, ProductInfo, UserTag, event_time
from contracts.times import DAY_MS, LATEST_MS, MINUTE_MS, format_millis

NOW: Final = 1_700_000_000_000  # epoch ms

# Not surrogates: they are no characters, and JSON that escapes a lone one is refused.
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    ["x" * 256, "\0", '"', "\\", "\n", "\u2028", "é", "\U0001f600", "0", "-1", "null"]
)
ARROW_NUMBERS: Final = st.integers(-(10**18) + 1, 10**18 - 1) | st.just(0)  # those that Arrow carries as numbers
NUMBERS: Final = ARROW_NUMBERS | st.integers(-(2**63), 2**63 - 1)
PRICES: Final = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, -(2**31), 2**31 - 1])


def times(latest: int = NOW) -> st.SearchStrategy[int | str]:
    """Instants up to `latest` (epoch ms) as numbers, or as text with 3 digits or, for whole seconds, with none."""
    milliseconds = st.integers(0, latest) | st.sampled_from([0, latest])
    texts = milliseconds.map(lambda time: format_millis(time) + "Z")
    return milliseconds | texts | texts.map(lambda text: text[:19] + "Z")


def tags(
    time: st.SearchStrategy[int | str] | None = None,
    label: st.SearchStrategy[str] = TEXTS,
    number: st.SearchStrategy[int] = NUMBERS,
) -> st.SearchStrategy[UserTag]:
    """Valid tags."""
    products = st.builds(ProductInfo, product_id=number | label, brand_id=label, category_id=label, price=PRICES)
    return st.builds(
        UserTag,
        time=times() if time is None else time,
        cookie=label,
        country=label,
        device=st.sampled_from(DEVICES),
        action=st.sampled_from(ACTIONS),
        origin=label,
        product_info=products,
    )


@st.composite
def logs(draw: st.DrawFn, max_size: int = 12) -> list[Record]:
    """A partition's records, good and bad, in both formats, whose timestamps jump, also by years."""
    few = st.sampled_from(["a", "b"])
    records = []
    offset = draw(st.integers(0, 5))
    for _ in range(draw(st.integers(0, max_size))):
        base = draw(st.sampled_from([0, NOW, NOW + 500_000 * MINUTE_MS]))
        timestamp = base + draw(st.integers(0, 4 * MINUTE_MS))
        near = st.integers(max(0, timestamp - 3 * MINUTE_MS), min(timestamp, LATEST_MS - 1))
        held = draw(st.lists(tags(time=near, label=few, number=st.integers(0, 1)), max_size=4))
        ingested = NOW + draw(st.sampled_from([0, 0, 0, DAY_MS]))
        records.append(Record(offset, timestamp, ingested, draw(payloads(held))))
        offset += draw(st.integers(1, 3))  # transactions and compaction leave gaps
    return records


def payloads(held: list[UserTag]) -> st.SearchStrategy[bytes]:
    """The tags as a record's value, some with bad lines among them, and values that hold nothing."""
    whole = encode_lines(held)
    arrow = encode_arrow(events_of(held, [event_time(tag) for tag in held]))
    broken = [whole + b"{}\n", b"no\n" + whole, whole + b"\n", b"", arrow[: len(arrow) // 2], b"\xff\xff\xff\xff"]
    return st.sampled_from([whole, whole, whole, arrow, arrow, arrow, *broken])


def pieces(draw: Any, items: list[Record]) -> list[list[Record]]:
    """The items in order, split into consecutive pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(items)), max_size=5)))
    return [items[start:end] for start, end in zip([0, *places], [*places, len(items)], strict=True)]
