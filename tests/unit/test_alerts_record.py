"""Messages become incidents: in any order, any number of times, the same."""

import tempfile
from itertools import chain
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.config import Flapping
from alerts.record import record, record_history
from contracts.alerts import Alert
from stores import alert_incidents
from stores.alert_incidents import Filter, Incident
from stores.alerts import AlertStore
from tests.unit.alerting import HOUR, MINUTE, START, firing, resolved, sqlite_store

RARE = Flapping(incidents=100)


def open_incidents(store: AlertStore) -> dict[str, Incident]:
    with store.reading() as connection:
        return {one.id: one for one in alert_incidents.listed(connection, Filter(), 1000)}


def apply(store: AlertStore, messages: list[Alert], at: int = START, flapping: Flapping = RARE) -> int:
    with store.writing() as connection:
        return record(connection, messages, flapping, at)


@st.composite
def streams(draw: st.DrawFn) -> list[list[Alert]]:
    """Of a few incidents, an hour apart for each shop, what the topic says of each, in its order."""
    streams = []
    for shop in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
        for number in range(draw(st.integers(1, 2))):
            begun = firing(at=START + number * HOUR, shop=shop)
            said = [begun] * draw(st.integers(1, 2))
            if draw(st.booleans()):
                said.append(msgspec.structs.replace(begun, severity="critical"))
            streams.append([*said, *[resolved(begun)] * draw(st.integers(1, 2))])
    return streams


@given(streams(), st.randoms(use_true_random=False))
def test_order_and_copies_do_not_matter_to_how_it_ends(streams: list[list[Alert]], random: object) -> None:
    """What a partition holds of one incident comes in order; how those of several mix is chance."""
    mixed: list[Alert] = []
    left = [list(stream) for stream in streams]
    while left:
        stream = random.choice(left)  # type: ignore[attr-defined]  # a random.Random
        mixed.append(stream.pop(0))
        left = [stream for stream in left if stream]
    with tempfile.TemporaryDirectory() as folder:
        store = sqlite_store(Path(folder))
        store.create()
        apply(store, mixed)
        found = open_incidents(store)
        assert set(found) == {message.id for message in chain(*streams)}
        assert not any(incident.firing for incident in found.values())
        worst = {stream[0].id: any(message.severity == "critical" for message in stream) for stream in streams}
        assert apply(store, mixed) == 0
        store.close()
        # An incident that another one's end has cut off tells of its beginning again, and of its severity then.
        assert all(found[id].alert.severity == "critical" or not bad for id, bad in worst.items() if len(streams) == 1)


def test_the_newest_figures_are_kept_and_the_beginning_stays(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    store.create()
    alert = firing()
    assert apply(store, [alert]) == 1
    assert apply(store, [msgspec.structs.replace(alert, value=7.0)]) == 1
    (incident,) = open_incidents(store).values()
    assert (incident.alert.value, incident.changed_at, incident.alert.starts_at) == (7.0, START, START)
    store.close()


def test_of_a_topic_that_is_read_for_the_first_time_only_what_is_open_is_news(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    store.create()
    old, current = firing(shop="a"), firing(shop="b")
    with store.writing() as connection:
        record_history(connection, [old, current, resolved(old)], RARE, START + MINUTE)
    found = open_incidents(store)
    assert (found[old.id].done, found[old.id].firing) == (True, False)
    assert (found[current.id].done, found[current.id].firing) == (False, True)
    store.close()
