"""Messages become incidents: in any order, any number of times, the same."""

import tempfile
from pathlib import Path
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.config import Flapping
from alerts.record import record, record_first
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
    """For each of a few shops what the topic says of its incidents, an hour apart, in its order and with copies."""
    streams = []
    for shop in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
        said: list[Alert] = []
        for number in range(draw(st.integers(1, 3))):
            begun = firing(at=START + number * HOUR, shop=shop)
            said += [begun] * draw(st.integers(1, 2))
            if draw(st.booleans()):
                said.append(msgspec.structs.replace(begun, severity="critical"))
            said += [resolved(begun)] * draw(st.integers(1, 2))
        streams.append(said)
    return streams


@given(streams(), st.randoms(use_true_random=False))
def test_how_they_mix_and_copies_do_not_matter(streams: list[list[Alert]], random: Random) -> None:
    mixed: list[Alert] = []
    left = [list(stream) for stream in streams]
    while left:
        mixed.append(random.choice(left).pop(0))
        left = [stream for stream in left if stream]
    with tempfile.TemporaryDirectory() as folder:
        store = sqlite_store(Path(folder))
        store.create()
        apply(store, mixed)
        found = open_incidents(store)
        assert set(found) == {message.id for message in mixed}
        assert not any(incident.firing for incident in found.values())
        critical = {message.id for message in mixed if message.severity == "critical"}
        assert {name for name, incident in found.items() if incident.alert.severity == "critical"} == critical
        assert apply(store, mixed) == 0
        store.close()


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
        record_first(connection, [old, current, resolved(old)], RARE, START + MINUTE)
    found = open_incidents(store)
    assert (found[old.id].done, found[old.id].firing) == (True, False)
    assert (found[current.id].done, found[current.id].firing) == (False, True)
    store.close()
