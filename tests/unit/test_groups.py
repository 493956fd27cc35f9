"""Groups: against a dictionary, and in any pieces."""

from collections import Counter, defaultdict

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from analysis.groups import GROUP_SCHEMA, NO_GROUPS, changed_since, group, total, with_minute
from contracts.codec import Record, decode, encode_lines
from contracts.events import COUNTED_SCHEMA
from contracts.tags import UserTag, event_time
from contracts.times import MINUTE_MS
from tests.unit.strategies import logs, tags

Key = tuple[int, str, str, str, str]


def brute_force(log: list[Record]) -> dict[Key, tuple[int, int, int]]:
    """By group: count, sum of price, last offset that added to it."""
    found: defaultdict[Key, tuple[int, int, int]] = defaultdict(lambda: (0, 0, -1))
    for row in decode(log).events.to_pylist():
        names = ("action", "origin", "brand_id", "category_id")
        key: Key = (row["time"] // MINUTE_MS, *(row[name] for name in names))
        count, price, _ = found[key]
        found[key] = (count + 1, price + row["price"], row["offset"])
    return dict(found)


def as_dict(groups: pa.Table) -> dict[Key, tuple[int, int, int]]:
    assert (groups.schema.names, groups.schema.types) == (GROUP_SCHEMA.names, GROUP_SCHEMA.types)
    rows = list(zip(*(groups[name].to_pylist() for name in GROUP_SCHEMA.names), strict=True))
    found = {row[:5]: row[5:] for row in rows}
    assert len(found) == len(rows), "a group has two rows"
    return found


def grouped(log: list[Record]) -> pa.Table:
    return group(with_minute(decode(log, COUNTED_SCHEMA).events))


@given(logs())
def test_groups_are_what_was_counted(log: list[Record]) -> None:
    assert as_dict(grouped(log)) == brute_force(log)


@given(logs(), st.data())
def test_groups_of_any_split_add_up(log: list[Record], data: st.DataObject) -> None:
    first, second = sorted((data.draw(st.integers(0, len(log))), data.draw(st.integers(0, len(log)))))
    one, two, three = grouped(log[:first]), grouped(log[first:second]), grouped(log[second:])
    whole = brute_force(log)
    assert as_dict(total([total([one, two]), three])) == as_dict(total([one, total([two, three])])) == whole
    assert as_dict(total([three, two, one])) == whole
    assert as_dict(total([NO_GROUPS, grouped(log)])) == as_dict(total([grouped(log)])) == whole


@given(logs(), st.integers(-1, 40))
def test_what_changed_since_is_what_later_records_added_to(log: list[Record], offset: int) -> None:
    later = brute_force([record for record in log if record.offset > offset])
    whole = brute_force(log)
    assert as_dict(changed_since(grouped(log), offset)) == {key: whole[key] for key in later}


@given(st.lists(tags(), max_size=6))
def test_any_texts_make_groups(held: list[UserTag]) -> None:
    log = [Record(5, 2**62, 0, encode_lines(held))]
    counts = Counter((event_time(tag) // MINUTE_MS, tag.origin, tag.product_info.brand_id) for tag in held)
    found: Counter[tuple[int, str, str]] = Counter()
    for (minute, _, origin, brand, _), (count, _, _) in as_dict(grouped(log)).items():
        found[minute, origin, brand] += count
    assert found == counts


def test_sums_go_beyond_32_bits() -> None:
    dear = pa.table(
        {**{name: ["x"] * 3 for name in ("action", "origin", "brand_id", "category_id")}, "minute": [1] * 3}
    )
    events = dear.append_column("price", pa.array([2**31 - 1] * 3, pa.int32())).append_column(
        "offset", [pa.array([0] * 3)]
    )
    assert group(events)["sum_price"].to_pylist() == [3 * (2**31 - 1)]
