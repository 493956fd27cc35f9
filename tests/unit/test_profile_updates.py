"""From events to profiles: each event once, under its place in the log, as the JSON to answer with."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from analysis.profile_updates import updates_of
from analysis.profiles import ProfileEvent, identity
from contracts.codec import Record, decode, encode_lines
from contracts.tags import UserTag, decode_tag, encode_tag, event_time
from tests.unit.strategies import logs, tags

TOPIC = UUID("12345678-0000-4000-8000-000000000000")


@given(logs())
def test_each_event_is_in_one_list(log: list[Record]) -> None:
    events = decode(log).events
    updates = updates_of(events, TOPIC, 3)
    found = {
        (cookie, action, event)
        for cookie, update in updates.items()
        for action, held in (("VIEW", update.views), ("BUY", update.buys))
        for event in held
    }
    assert {(cookie, action, event.time, event.identity) for cookie, action, event in found} == {
        (row["cookie"], row["action"], row["time"], identity(TOPIC, 3, row["offset"], row["line"]))
        for row in events.to_pylist()
    }
    assert sum(len(update.views) + len(update.buys) for update in updates.values()) == events.num_rows


@given(st.lists(tags(), max_size=6))
def test_the_json_is_the_tag_as_it_came(held: list[UserTag]) -> None:
    log = [Record(9, 2**62, 0, encode_lines(held))]
    updates = updates_of(decode(log).events, TOPIC, 0)
    found = {event.identity: event for update in updates.values() for event in [*update.views, *update.buys]}
    for line, tag in enumerate(held):
        place = identity(TOPIC, 0, 9, line)
        assert found[place] == ProfileEvent(event_time(tag), place, encode_tag(tag))
        assert decode_tag(found[place].json) == tag


@given(logs(), st.data())
def test_any_batching_gives_the_same_events(log: list[Record], data: st.DataObject) -> None:
    middle = data.draw(st.integers(0, len(log)))
    whole: dict[str, set[ProfileEvent]] = {}
    parts: dict[str, set[ProfileEvent]] = {}
    for into, pieces in ((whole, [log]), (parts, [log[:middle], log[middle:], log[:middle]])):
        for piece in pieces:
            for cookie, update in updates_of(decode(piece).events, TOPIC, 1).items():
                into.setdefault(cookie, set()).update(update.views, update.buys)
    assert parts == whole
