"""One contract for the alert store, over SQLite and over PostgreSQL; then a story of alerts over each."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stores import alert_incidents, alert_lease, alert_outbox, alert_silences
from stores.alert_incidents import Acknowledgement, Filter
from stores.alert_lease import LeaseLost
from stores.alert_outbox import Letter
from stores.alert_silences import Shift
from stores.alerts import AlertStore, AlertsUnavailable, revision
from tests.conftest import free_ports
from tests.integration.postgres import DEADLINE, Postgres, programs
from tests.unit.alerting import HOUR, MINUTE, SECOND, START, Desk, firing, resolved, sqlite_store


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("postgres"), programs())
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertStore]:
    """An empty store of each kind."""
    opened = sqlite_store(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres").empty()
    opened.create()
    yield opened
    opened.close()


def letter(key: str, receiver: str = "chat", incident: str | None = "1" * 32) -> Letter:
    return Letter(key, receiver, incident, "firing", "b" * 32, "{}")


def test_making_the_tables_twice_changes_nothing(store: AlertStore) -> None:
    Desk(store).hears(firing())
    store.create()
    store.check()
    with store.reading() as connection:
        assert len(alert_incidents.live(connection)) == 1


def test_what_a_failed_transaction_did_was_not_done(store: AlertStore) -> None:
    with pytest.raises(KeyError), store.writing() as connection:
        alert_outbox.add(connection, [letter("a")], START)
        alert_lease.save_offsets(connection, "topic", {0: 7})
        raise KeyError
    with store.reading() as connection:
        assert alert_outbox.due(connection, START) == []
        assert alert_lease.offsets(connection, "topic") == {}


def test_a_receiver_gets_a_key_once(store: AlertStore) -> None:
    with store.writing() as connection:
        alert_outbox.add(connection, [letter("a"), letter("a", "mail")], START)
        alert_outbox.add(connection, [letter("a"), letter("b")], START)
        due = alert_outbox.due(connection, START)
    assert [(one.letter.key, one.letter.receiver) for one in due] == [("a", "chat"), ("a", "mail")]
    with store.writing() as connection:
        alert_outbox.sent(connection, [one.number for one in due], START)
        assert [one.letter.key for one in alert_outbox.due(connection, START)] == ["b"]
        alert_outbox.failed(connection, [due[0].number], "late")  # what is settled stays so
        assert alert_outbox.counts(connection) == {("chat", "sent"): 1, ("chat", "pending"): 1, ("mail", "sent"): 1}


def test_offsets_are_those_of_one_topic(store: AlertStore) -> None:
    with store.writing() as connection:
        alert_lease.save_offsets(connection, "old", {0: 5, 1: 6})
        alert_lease.save_offsets(connection, "new", {0: 1})
        alert_lease.save_offsets(connection, "new", {0: 2, 1: 1})
        assert alert_lease.offsets(connection, "old") == {}
        assert alert_lease.offsets(connection, "new") == {0: 2, 1: 1}


def test_the_lease_changes_hands_when_it_ran_out_or_was_given_back(store: AlertStore) -> None:
    def take(holder: str, now: int) -> int | None:
        with store.writing() as connection:
            return alert_lease.take(connection, holder, now, 5 * SECOND)

    first = take("a", START)
    assert (take("b", START + 4 * SECOND), take("a", START + 4 * SECOND)) == (None, first)
    assert take("b", START + 8 * SECOND) is None
    second = take("b", START + 10 * SECOND)
    assert second is not None
    assert first is not None
    assert second > first
    with pytest.raises(LeaseLost), store.writing() as connection:
        alert_lease.demand(connection, first)
    with store.writing() as connection:
        alert_lease.demand(connection, second)
        alert_lease.give_back(connection, "a")  # not its own any more
        assert alert_lease.holder(connection) == ("b", START + 15 * SECOND)
        alert_lease.give_back(connection, "b")
    third = take("a", START + 11 * SECOND)
    assert third is not None
    assert third > second
    assert take("a", START + HOUR) == third  # it had run out, and nobody had wanted it


def test_of_many_that_want_the_lease_one_gets_it(store: AlertStore) -> None:
    tokens: list[int | None] = []

    def take(number: int) -> None:
        with store.writing() as connection:
            tokens.append(alert_lease.take(connection, f"holder {number}", START, HOUR))

    threads = [threading.Thread(target=take, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(tokens) == 8
    assert len([token for token in tokens if token is not None]) == 1


def test_the_first_who_acknowledges_has_it(store: AlertStore) -> None:
    desk, alert = Desk(store), firing()
    desk.hears(alert)
    with store.writing() as connection:
        assert alert_incidents.acknowledge(connection, alert.id, Acknowledgement("ann", START, "mine")).by == "ann"
        assert alert_incidents.acknowledge(connection, alert.id, Acknowledgement("bob", START, "")).by == "ann"
        assert alert_incidents.counts(connection) == {("warning", True): 1}
    assert desk.changes(alert)[-1][1:] == ("acknowledged", "by ann: mine")


def test_incidents_are_listed_by_what_is_asked(store: AlertStore) -> None:
    desk = Desk(store)
    one, two = firing(shop="a"), firing("slow", severity="critical")
    desk.hears(one)
    desk.now += SECOND
    desk.hears(two, resolved(two))

    def rules(wanted: Filter, limit: int = 10) -> list[str]:
        with store.reading() as connection:
            return [incident.alert.rule for incident in alert_incidents.listed(connection, wanted, limit)]

    assert rules(Filter()) == ["slow", "errors"]
    assert rules(Filter(), 1) == ["slow"]
    assert rules(Filter(status="firing")) == ["errors"]
    assert rules(Filter(severity="critical")) == rules(Filter(rule="slow")) == ["slow"]
    assert rules(Filter(opened_before=desk.now)) == ["errors"]


def test_silences_last_until_they_end(store: AlertStore) -> None:
    desk = Desk(store)
    with store.reading() as connection:
        before = revision(connection)
    silence = desk.silence('shop=~"a|b"')
    with store.writing() as connection:
        assert revision(connection) == before + 1
        assert alert_silences.silences(connection, START) == [silence]
        assert alert_silences.silences(connection, silence.ends_at) == []
        ended = alert_silences.end(connection, silence.id, START + MINUTE)
        assert ended == silence._replace(ends_at=START + MINUTE)
        assert alert_silences.end(connection, silence.id, START + HOUR) == ended
        assert alert_silences.end(connection, "0" * 32, START) is None


def test_shifts_are_replaced_as_a_whole(store: AlertStore) -> None:
    with store.writing() as connection:
        alert_silences.replace_shifts(connection, [Shift("a", 0, 10, "ann"), Shift("b", 0, 5, "bob")])
        alert_silences.replace_shifts(connection, [Shift("a", 0, 10, "eve"), Shift("a", 10, 20, "ann")])
        assert alert_silences.shifts(connection, 5, 11) == [Shift("a", 0, 10, "eve"), Shift("a", 10, 20, "ann")]
        assert alert_silences.shifts(connection, 10, 11) == [Shift("a", 10, 20, "ann")]
        alert_silences.replace_shifts(connection, [])
        assert alert_silences.shifts(connection, 0, 100) == []


def test_what_is_over_for_long_is_forgotten_and_nothing_else(store: AlertStore) -> None:
    desk = Desk(store)
    over, current = firing(shop="a"), firing(shop="b")
    desk.hears(over, current)
    desk.later(MINUTE)
    desk.hears(resolved(over))
    desk.later(10 * MINUTE)
    with store.writing() as connection:
        assert alert_incidents.forget(connection, START) == 0
        assert alert_incidents.forget(connection, desk.now + HOUR) == 1
        assert set(alert_incidents.find(connection, [over.id, current.id])) == {current.id}
        assert alert_outbox.of_incident(connection, over.id) == []
        assert len(alert_outbox.of_incident(connection, current.id)) == 1
    assert desk.history(over) == []


def test_a_story(store: AlertStore) -> None:
    """All stages over each store; what each does by itself is tested over SQLite in the unit tests."""
    desk = Desk(store)
    errors, slow = firing(shop="a"), firing("slow", severity="critical")
    desk.silence("shop=a", minutes=10)
    desk.hears(errors, slow, slow)
    assert desk.later(5 * MINUTE) == ["firing chat slow"]
    desk.acknowledge(slow)
    assert desk.looks() == ["acknowledged chat slow"]
    assert desk.later(6 * MINUTE) == ["firing chat errors"]
    assert desk.hears(resolved(slow)) == ["resolved chat slow"]
    desk.now += 5 * MINUTE
    assert desk.hears(resolved(errors)) == ["resolved chat errors"]
    assert desk.live() == 0
    assert desk.later(HOUR) == []


def test_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    for url in (f"postgresql+psycopg://nobody@127.0.0.1:{port}/none", f"sqlite:///{tmp_path / 'none' / 'alerts.db'}"):
        store = AlertStore(url)
        with pytest.raises(AlertsUnavailable, match="alert store: "):
            store.check()
        store.close()
