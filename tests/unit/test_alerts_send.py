"""Sending: attempts, waits and giving up; receivers side by side; a kill between sending and noting it."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from alerts import message as messages
from alerts.config import Config
from alerts.message import Event, Message
from alerts.receiver import SENT, Outcome, Receiver
from alerts.send import FIRST_WAIT, LONGEST_WAIT, Sender
from contracts.alerts import Alert
from stores import alert_lease, alert_outbox
from stores.alert_outbox import Letter, Sending
from stores.alerts import AlertStore
from tests.unit.alerting import HOUR, START, config, firing, sqlite_store

DEADLINE = 60.0


class Scripted(Receiver):
    """Answers as it is told, and remembers the keys of each call."""

    answers: ClassVar[dict[str, list[Outcome | Exception]]] = {}
    calls: ClassVar[list[tuple[str, list[str]]]] = []
    name: str
    one: bool = False

    def send(self, messages: Sequence[Message], timeout: float) -> Outcome:
        type(self).calls.append((self.name, [message.key for message in messages]))
        answers = type(self).answers.get(self.name, [])
        answer = answers.pop(0) if answers else SENT
        if isinstance(answer, Exception):
            raise answer
        return answer


class OneByOne(Scripted):
    one_by_one: ClassVar[bool] = True


class Office:
    """A led store, a clock, and a sender with two receivers: `many` takes several messages a call, `one` one."""

    def __init__(self, store: AlertStore) -> None:
        store.create()
        self.store, self.now = store, START
        with store.writing() as connection:
            token = alert_lease.take(connection, "me", START, HOUR)
        assert token is not None
        self.token = token
        self.sender = Sender(store, lambda: self.now, threads=2, timeout=1.0, give_up=HOUR)
        self.config: Config = config().model_copy(
            update={"receivers": {"many": Scripted(name="many"), "one": OneByOne(name="one")}}
        )

    def write(self, receiver: str, alert: Alert, event: Event = "firing", batch: str = "b") -> None:
        told = Message(f"{alert.id}-{event}", alert.id, event, alert, self.now)
        letter = Letter(told.key, receiver, alert.id, event, batch, messages.encode(told))
        with self.store.writing() as connection:
            alert_outbox.add(connection, [letter], self.now)

    def turn(self) -> None:
        self.sender.turn(self.config, self.token)
        self.sender.wait()

    def rows(self, alert: Alert) -> list[Sending]:
        with self.store.reading() as connection:
            return alert_outbox.of_incident(connection, alert.id)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    Scripted.answers.clear()
    Scripted.calls.clear()
    office = Office(sqlite_store(tmp_path))
    yield office
    office.sender.close()
    office.store.close()


def test_a_letter_is_sent_once(office: Office) -> None:
    alert = firing()
    office.write("many", alert)
    office.write("many", alert)
    office.turn()
    office.turn()
    assert Scripted.calls == [("many", [f"{alert.id}-firing"])]
    (row,) = office.rows(alert)
    assert (row.state, row.attempts, row.sent_at) == ("sent", 1, START)


def test_what_failed_is_tried_again_later_and_later(office: Office) -> None:
    alert = firing()
    Scripted.answers["many"] = [Outcome("retry", "busy")] * 3
    office.write("many", alert)
    waits = []
    for attempt in range(1, 4):
        office.turn()
        (row,) = office.rows(alert)
        assert (row.state, row.attempts, row.error) == ("pending", attempt, "busy")
        waits.append(row.next_at - office.now)
        office.now = row.next_at - 1
        office.turn()
        office.now += 1
    office.turn()
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert len(Scripted.calls) == 4
    assert office.rows(alert)[0].state == "sent"


def test_a_receiver_that_asks_for_time_is_given_it(office: Office) -> None:
    Scripted.answers["many"] = [Outcome("retry", "busy", 2 * LONGEST_WAIT)]
    alert = firing()
    office.write("many", alert)
    office.turn()
    assert office.rows(alert)[0].next_at == START + 2 * LONGEST_WAIT


def test_what_is_refused_is_not_tried_again_and_what_follows_is_sent(office: Office) -> None:
    alert = firing()
    Scripted.answers["many"] = [Outcome("refused", "no such channel")]
    office.write("many", alert)
    office.write("many", alert, "resolved")
    office.turn()
    office.turn()
    assert [(row.state, row.error) for row in office.rows(alert)] == [("failed", "no such channel"), ("sent", "")]


def test_after_long_enough_it_gives_up(office: Office) -> None:
    alert = firing()
    Scripted.answers["many"] = [Outcome("retry", "away")] * 100
    office.write("many", alert)
    while office.rows(alert)[0].state == "pending":
        office.turn()
        office.now = max(office.rows(alert)[0].next_at, office.now)
    assert HOUR < office.now - START < HOUR + 2 * LONGEST_WAIT


def test_the_end_is_not_told_before_the_beginning(office: Office) -> None:
    alert, other = firing(), firing("other")
    Scripted.answers["one"] = [Outcome("retry", "busy")]
    office.write("one", alert)
    office.write("one", alert, "resolved")
    office.write("one", other)
    office.turn()
    office.turn()
    assert Scripted.calls == [("one", [f"{alert.id}-firing"]), ("one", [f"{other.id}-firing"])]
    office.now += FIRST_WAIT
    office.turn()
    office.turn()
    assert [keys for _, keys in Scripted.calls[2:]] == [[f"{alert.id}-firing"], [f"{alert.id}-resolved"]]


def test_what_was_written_together_goes_out_together(office: Office) -> None:
    alerts = [firing(shop=shop) for shop in "abc"]
    for alert in alerts[:2]:
        office.write("many", alert, batch="first")
    office.write("many", alerts[2], batch="second")
    office.turn()
    assert [len(keys) for _, keys in Scripted.calls] == [2, 1]


def test_a_defect_of_a_notifier_stops_no_other(office: Office) -> None:
    Scripted.answers["many"] = [RuntimeError("https://hooks/secret")]
    alert = firing()
    office.write("many", alert)
    office.write("one", alert)
    office.turn()
    states = {row.letter.receiver: (row.state, row.error) for row in office.rows(alert)}
    assert states == {"many": ("pending", "RuntimeError in the notifier"), "one": ("sent", "")}


def test_a_receiver_that_nobody_knows_is_said_to_be_unknown(office: Office) -> None:
    alert = firing()
    office.write("ghost", alert)
    office.turn()
    assert (office.rows(alert)[0].state, office.rows(alert)[0].error) == ("failed", "no receiver is called ghost")


def test_what_was_sent_without_the_lease_is_sent_again_by_who_has_it(office: Office) -> None:
    """As after a kill between sending and noting it: the same key arrives twice."""
    alert = firing()
    office.write("many", alert)
    office.now += 2 * HOUR
    with office.store.writing() as connection:
        token = alert_lease.take(connection, "other", office.now, HOUR)
    office.turn()
    assert office.rows(alert)[0].state == "pending"
    assert token is not None
    office.token = token
    office.turn()
    assert Scripted.calls == [("many", [f"{alert.id}-firing"])] * 2
    assert office.rows(alert)[0].state == "sent"


def test_a_slow_receiver_holds_up_no_other(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    release, sent = threading.Event(), threading.Event()

    def send(self: Scripted, messages: Sequence[Message], timeout: float) -> Outcome:
        if self.name == "many":
            release.wait(DEADLINE)
        else:
            sent.set()
        return SENT

    monkeypatch.setattr(Scripted, "send", send)
    alert = firing()
    office.write("many", alert)
    office.write("one", alert)
    office.sender.turn(office.config, office.token)
    assert sent.wait(DEADLINE)
    assert not release.is_set()
    release.set()
    office.sender.wait()
