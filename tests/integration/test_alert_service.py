"""The service as a process: a real broker before it, an HTTP server behind it, and kills at random moments."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from alerts.canary import Canary
from contracts.alerts import Alert, encode
from contracts.points import decode_point
from contracts.settings import CANARY_SECONDS, Settings, Topic
from infra import topic_records, topics
from stores import alert_incidents, alert_outbox
from stores.alert_incidents import Filter
from tests.conftest import START_SECONDS, RealPart
from tests.integration.alert_service import AlertService, pager_calls, webhook_keys, webhook_messages
from tests.integration.postgres import Postgres, programs
from tests.unit.alerting import MINUTE, firing, resolved
from tests.unit.http_receiver import HttpReceiver, http_receiver

INCIDENTS = 50
Make = Callable[..., AlertService]


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as server:
        yield server


@pytest.fixture
def make(settings: Settings, broker: RealPart, tmp_path: Path, receiver: HttpReceiver) -> Iterator[Make]:
    """Makes services with a topic and a store of their own, started."""
    made: list[AlertService] = []

    def one(**changes: str) -> AlertService:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        service = AlertService(settings, folder, routes(receiver), **changes)
        made.append(service)
        service.start()
        return service

    yield one
    for service in made:
        service.kill()


def routes(receiver: HttpReceiver) -> dict[str, Any]:
    """Each alert by itself, soon, to a webhook and to what looks like PagerDuty."""
    return {
        "receivers": {
            "hook": {"kind": "webhook", "url": f"{receiver.url}/hook", "secret": "hush"},
            "pager": {"kind": "pagerduty", "routing_key": "R" * 32, "url": f"{receiver.url}/v2/enqueue"},
        },
        "routes": [
            {
                "name": "all",
                "receivers": ["hook", "pager"],
                "group_by": ["..."],
                "group_wait": "100ms",
                "group_interval": "100ms",
            }
        ],
    }


def named(number: int) -> Alert:
    return firing(shop=str(number))


def keys_of(alerts: list[Alert], *events: str) -> set[str]:
    return {f"{alert.id}-{event}" for alert in alerts for event in events}


def test_from_the_topic_to_the_receivers_and_to_the_end(make: Make, receiver: HttpReceiver) -> None:
    service = make()
    service.until_ready()
    alert = named(1)
    began = time.monotonic()
    service.say(alert)
    service.until(lambda: len(receiver.calls) == 2)
    assert time.monotonic() - began < 8
    service.say(resolved(alert))
    service.until(lambda: len(receiver.calls) == 4)
    assert webhook_keys(receiver) == [f"{alert.id}-firing", f"{alert.id}-resolved"]
    assert pager_calls(receiver) == [("trigger", alert.id), ("resolve", alert.id)]
    assert 'tidewatch_alerts_messages_total{outcome="read"} 2.0' in service.get("/metrics")[1]
    assert service.get("/healthz")[0] == 200
    assert service.stop() == 0
    assert "hush" not in (service.folder / "log").read_text()


def test_kills_lose_and_double_nothing(make: Make, receiver: HttpReceiver) -> None:
    seed = random.randrange(10**6)  # noqa: S311  # printed, so that it can be repeated
    print(f"seed {seed}")  # noqa: T201  # pytest shows it when the test fails
    chance = random.Random(seed)  # noqa: S311
    service = make()
    service.until_ready()
    alerts = [named(number) for number in range(INCIDENTS)]
    ending = threading.Thread(target=_tell_all, args=[service, alerts, chance.random()])
    ending.start()
    for _ in range(6):
        time.sleep(chance.uniform(0.2, 2.5))  # the moment is what is tested: any
        service.kill()
        service.start()
    ending.join()
    wanted = keys_of(alerts, "firing", "resolved")
    service.until(lambda: wanted <= set(webhook_keys(receiver)) and len(set(pager_calls(receiver))) == 2 * INCIDENTS)
    service.until(lambda: _live(service) == 0)
    assert set(webhook_keys(receiver)) == wanted
    by_key: dict[str, set[bytes]] = {}
    for message in webhook_messages(receiver):
        by_key.setdefault(message.key, set()).add(repr(message).encode())
    assert all(len(copies) == 1 for copies in by_key.values()), "a copy differs from what it is a copy of"
    for alert in alerts:
        actions = [action for action, key in pager_calls(receiver) if key == alert.id]
        assert actions == sorted(actions, reverse=True), f"resolved before the last trigger: {actions}"
    assert _states(service) == {"resolved": INCIDENTS}


def test_a_receiver_that_is_away_gets_all_later_and_in_order(make: Make, receiver: HttpReceiver) -> None:
    receiver.answers = [503] * 12
    service = make()
    service.until_ready()
    alerts = [named(number) for number in range(3)]
    service.say(*alerts, *map(resolved, alerts))
    service.until(lambda: keys_of(alerts, "firing", "resolved") <= set(webhook_keys(receiver)))
    service.until(lambda: _live(service) == 0 and not receiver.answers)
    service.until(lambda: {("resolve", alert.id) for alert in alerts} <= set(pager_calls(receiver)))
    for alert in alerts:
        actions = [action for action, key in pager_calls(receiver) if key == alert.id]
        assert actions == sorted(actions, reverse=True)


def test_a_broker_that_is_killed_is_waited_for(make: Make, receiver: HttpReceiver, broker: RealPart) -> None:
    service = make()
    service.until_ready()
    first, second = named(1), named(2)
    service.say(first)
    service.until(lambda: len(webhook_keys(receiver)) == 1)
    broker.kill()
    broker.start()
    service.say(second, resolved(first))
    service.until(lambda: len(webhook_keys(receiver)) == 3)
    assert set(webhook_keys(receiver)) == keys_of([first, second], "firing") | keys_of([first], "resolved")


def test_a_store_that_is_killed_is_waited_for(make: Make, receiver: HttpReceiver, tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    server = Postgres(folder, programs())
    try:
        service = make(ALERTS__STORE_URL=server.url)
        service.until_ready()
        alerts = [named(number) for number in range(6)]
        service.say(*alerts[:3])
        service.until(lambda: len(webhook_keys(receiver)) == 3)
        server.kill()
        service.say(*alerts[3:], *map(resolved, alerts))
        service.until(lambda: service.get("/readyz")[0] == 503)
        server.start()
        service.until(lambda: keys_of(alerts, "firing", "resolved") <= set(webhook_keys(receiver)))
        service.until(lambda: len(set(pager_calls(receiver))) == 2 * len(alerts))
        assert set(webhook_keys(receiver)) == keys_of(alerts, "firing", "resolved")
        assert service.stop() == 0
    finally:
        server.stop()


def test_of_two_instances_one_works_and_the_other_takes_over(
    make: Make, receiver: HttpReceiver, settings: Settings
) -> None:
    first = make()
    first.until_ready()
    second = make(TOPICS__ALERTS__NAME=first.topic, ALERTS__STORE_URL=first.url)
    second.until(lambda: second.get("/readyz")[0] == 200)
    assert (first.leads(), second.leads()) == (True, False)
    alerts = [named(number) for number in range(4)]
    first.say(*alerts[:2])
    first.until(lambda: _noted(first, "hook") == 2)  # killed before, it would be right to send one again
    first.kill()
    first.say(*alerts[2:])
    second.until(lambda: keys_of(alerts, "firing") <= set(webhook_keys(receiver)))
    assert second.leads()
    assert len(webhook_messages(receiver)) == 4


def test_what_was_not_committed_is_not_told(make: Make, receiver: HttpReceiver, settings: Settings) -> None:
    service = make()
    service.until_ready()
    producer = Producer({**settings.kafka_client, "transactional.id": f"{service.topic}-test"})
    producer.init_transactions()
    aborted, committed = named(1), named(2)
    for alert, end in ((aborted, producer.abort_transaction), (committed, producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(service.topic, encode(alert), alert.id)
        producer.flush()
        end()
    service.until(lambda: bool(webhook_keys(receiver)))
    service.say(resolved(committed))
    service.until(lambda: len(webhook_keys(receiver)) == 2)
    assert set(webhook_keys(receiver)) == keys_of([committed], "firing", "resolved")


def test_of_what_was_there_before_the_first_start_only_what_is_open_is_told(make: Make, receiver: HttpReceiver) -> None:
    service = make()
    service.kill()
    (service.folder / "alerts.db").unlink(missing_ok=True)
    over, current = named(1), named(2)
    service.say(over, current, resolved(over))
    service.start()
    service.until(lambda: bool(webhook_keys(receiver)))
    service.until(lambda: _live(service) == 1)
    assert set(webhook_keys(receiver)) == keys_of([current], "firing")


def test_what_is_no_alert_is_passed_over(make: Make, receiver: HttpReceiver, settings: Settings) -> None:
    service = make()
    service.until_ready()
    producer = Producer(settings.kafka_client)
    producer.produce(service.topic, b"not an alert")
    producer.flush()
    service.say(named(1))
    service.until(lambda: len(webhook_keys(receiver)) == 1)
    assert 'outcome="unreadable"} 1.0' in service.get("/metrics")[1]
    assert "not an alert" in (service.folder / "log").read_text()


def test_a_way_that_is_broken_is_told_without_it(
    make: Make, receiver: HttpReceiver, broker: RealPart, settings: Settings
) -> None:
    points = topic_of_points(settings)
    service = make(
        ALERTS__CANARY_SECONDS=str(CANARY_SECONDS),
        ALERTS__CANARY_LATE_SECONDS="1",
        TOPICS__POINTS__NAME=points.name,
        TOPICS__POINTS__PARTITIONS="1",
    )
    service.until(lambda: len(list(topic_records.held(settings, points))) == 1)
    broker.kill()
    try:
        service.until(lambda: bool(webhook_messages(receiver)))
    finally:
        broker.start()
    (told,) = webhook_messages(receiver)
    assert (told.alert.rule, told.alert.kind, told.event) == ("alerts-do-not-arrive", "blind", "firing")

    def is_told_of_its_end() -> bool:
        service.say(firing("canary", int(time.time() * 1000)))  # in place of the jobs
        return len(webhook_keys(receiver)) == 2

    service.until(is_told_of_its_end)
    assert webhook_messages(receiver)[-1].event == "resolved"


def test_canaries_begin_as_points(broker: RealPart, settings: Settings) -> None:
    points = topic_of_points(settings)
    own = settings.model_copy(update={"topics": settings.topics.model_copy(update={"points": points})})
    first = int(time.time() * 1000)
    canary = Canary(own, first)
    apart = int(own.alerts.canary_seconds * 1000)
    for after in (0, 1, apart - 1, apart, 2 * apart - 1):
        canary.turn(first + after)
    deadline = time.monotonic() + START_SECONDS
    while len(held := list(topic_records.held(own, points))) < 2:
        assert time.monotonic() < deadline
    canary.close()
    sent = [decode_point(message.value() or b"", first + apart) for message in held]
    assert [(one.series.name, one.series.kind, one.series.labels, one.time, one.value) for one in sent] == [
        ("tidewatch_canary", "counter", (), first + after, 1.0) for after in (0, apart)
    ]


def topic_of_points(settings: Settings) -> Topic:
    """One of its own, with a single partition."""
    points = settings.topics.points.model_copy(update={"name": f"points-{uuid.uuid4().hex[:8]}", "partitions": 1})
    own = settings.model_copy(update={"topics": settings.topics.model_copy(update={"points": points})})
    topics.ensure(own, START_SECONDS)
    return points


def test_signs_of_life_go_out(make: Make, receiver: HttpReceiver) -> None:
    service = make(ALERTS__HEARTBEAT_URL=f"{receiver.url}/alive", ALERTS__HEARTBEAT_SECONDS="1")
    service.until(lambda: len([call for call in receiver.calls if call.path == "/alive"]) >= 2)
    assert service.stop() == 0


def _tell_all(service: AlertService, alerts: list[Alert], seed: float) -> None:
    """Over some ten seconds: each begins, and ends some time after it began."""
    chance = random.Random(seed)  # noqa: S311
    moments = [(chance.uniform(0, 6), alert) for alert in alerts]
    ends = [(begin + chance.uniform(0.1, 4), resolved(alert, MINUTE)) for begin, alert in moments]
    began = time.monotonic()
    for moment, alert in sorted([*moments, *ends], key=lambda pair: pair[0]):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        service.say(alert)


def _noted(service: AlertService, receiver: str) -> int:
    """Letters to the receiver that stand as sent."""
    store = service.store()
    with store.reading() as connection:
        count = alert_outbox.counts(connection).get((receiver, "sent"), 0)
    store.close()
    return count


def _live(service: AlertService) -> int:
    store = service.store()
    with store.reading() as connection:
        count = len(alert_incidents.live(connection))
    store.close()
    return count


def _states(service: AlertService) -> dict[str, int]:
    store = service.store()
    found: dict[str, int] = {}
    with store.reading() as connection:
        for incident in alert_incidents.listed(connection, Filter(), 1000):
            found[incident.alert.status] = found.get(incident.alert.status, 0) + 1
    store.close()
    return found
