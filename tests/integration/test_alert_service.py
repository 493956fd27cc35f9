"""The service as a process: a real broker before it, an HTTP server behind it, and kills at random moments."""

import random
import threading
import time
from pathlib import Path

from confluent_kafka import Producer

from contracts.alerts import Alert, encode
from contracts.settings import Settings
from tests.conftest import RealPart
from tests.integration.alert_service import AlertService, MakeService, pager_calls, webhook_keys, webhook_messages
from tests.integration.postgres import Postgres, programs
from tests.unit.alerting import MINUTE, firing, resolved
from tests.unit.http_receiver import HttpReceiver

INCIDENTS = 50
SOON = 30.0  # seconds; one on a machine that has nothing else to do
PATIENT = {"ALERTS__LEASE_SECONDS": "8"}  # of a leader that waits for a core


def named(number: int) -> Alert:
    return firing(shop=str(number))


def keys_of(alerts: list[Alert], *events: str) -> set[str]:
    return {f"{alert.id}-{event}" for alert in alerts for event in events}


def test_from_the_topic_to_the_receivers_and_to_the_end(make_service: MakeService, receiver: HttpReceiver) -> None:
    service = make_service()
    service.until_ready()
    alert = named(1)
    began = time.monotonic()
    service.say(alert)
    service.until(lambda: len(receiver.calls) == 2)
    assert time.monotonic() - began < SOON
    service.say(resolved(alert))
    service.until(lambda: len(receiver.calls) == 4)
    assert webhook_keys(receiver) == [f"{alert.id}-firing", f"{alert.id}-resolved"]
    assert pager_calls(receiver) == [("trigger", alert.id), ("resolve", alert.id)]
    assert 'tidewatch_alerts_messages_total{outcome="read"} 2.0' in service.get("/metrics")[1]
    assert service.get("/healthz")[0] == 200
    assert service.stop() == 0
    assert "hush" not in (service.folder / "log").read_text()


def test_kills_lose_and_double_nothing(make_service: MakeService, receiver: HttpReceiver) -> None:
    seed = random.randrange(10**6)  # noqa: S311  # printed, so that it can be repeated
    print(f"seed {seed}")  # noqa: T201  # pytest shows it when the test fails
    chance = random.Random(seed)  # noqa: S311
    service = make_service()
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
    service.until(lambda: service.live() == 0)
    assert set(webhook_keys(receiver)) == wanted
    by_key: dict[str, set[bytes]] = {}
    for message in webhook_messages(receiver):
        by_key.setdefault(message.key, set()).add(repr(message).encode())
    assert all(len(copies) == 1 for copies in by_key.values()), "a copy differs from what it is a copy of"
    for alert in alerts:
        actions = [action for action, key in pager_calls(receiver) if key == alert.id]
        assert actions == sorted(actions, reverse=True), f"resolved before the last trigger: {actions}"
    assert service.states() == {"resolved": INCIDENTS}


def test_a_receiver_that_is_away_gets_all_later_and_in_order(make_service: MakeService, receiver: HttpReceiver) -> None:
    receiver.answers = [503] * 12
    service = make_service()
    service.until_ready()
    alerts = [named(number) for number in range(3)]
    service.say(*alerts, *map(resolved, alerts))
    service.until(lambda: keys_of(alerts, "firing", "resolved") <= set(webhook_keys(receiver)))
    service.until(lambda: service.live() == 0 and not receiver.answers)
    service.until(lambda: {("resolve", alert.id) for alert in alerts} <= set(pager_calls(receiver)))
    for alert in alerts:
        actions = [action for action, key in pager_calls(receiver) if key == alert.id]
        assert actions == sorted(actions, reverse=True)


def test_a_broker_that_is_killed_is_waited_for(
    make_service: MakeService, receiver: HttpReceiver, broker: RealPart
) -> None:
    service = make_service()
    service.until_ready()
    first, second = named(1), named(2)
    service.say(first)
    service.until(lambda: len(webhook_keys(receiver)) == 1)
    broker.kill()
    broker.start()
    service.say(second, resolved(first))
    service.until(lambda: len(webhook_keys(receiver)) == 3)
    assert set(webhook_keys(receiver)) == keys_of([first, second], "firing") | keys_of([first], "resolved")


def test_a_store_that_is_killed_is_waited_for(
    make_service: MakeService, receiver: HttpReceiver, tmp_path: Path
) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    server = Postgres(folder, programs())
    try:
        service = make_service(ALERTS__STORE_URL=server.url)
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
    make_service: MakeService, receiver: HttpReceiver, settings: Settings
) -> None:
    first = make_service(**PATIENT)
    first.until_ready()
    second = make_service(TOPICS__ALERTS__NAME=first.topic, ALERTS__STORE_URL=first.url, **PATIENT)
    second.until(lambda: second.get("/readyz")[0] == 200)
    assert (first.leads(), second.leads()) == (True, False)
    alerts = [named(number) for number in range(4)]
    first.say(*alerts[:2])
    first.until(lambda: first.noted("hook") == 2)  # killed before, it would be right to send one again
    first.kill()
    first.say(*alerts[2:])
    second.until(lambda: keys_of(alerts, "firing") <= set(webhook_keys(receiver)))
    assert second.leads()
    assert len(webhook_messages(receiver)) == 4


def test_what_was_not_committed_is_not_told(
    make_service: MakeService, receiver: HttpReceiver, settings: Settings
) -> None:
    service = make_service()
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


def test_of_what_was_there_before_the_first_start_only_what_is_open_is_told(
    make_service: MakeService, receiver: HttpReceiver
) -> None:
    service = make_service()
    service.kill()
    (service.folder / "alerts.db").unlink(missing_ok=True)
    over, current = named(1), named(2)
    service.say(over, current, resolved(over))
    service.start()
    service.until(lambda: bool(webhook_keys(receiver)))
    service.until(lambda: service.live() == 1)
    assert set(webhook_keys(receiver)) == keys_of([current], "firing")


def test_what_is_no_alert_is_passed_over(make_service: MakeService, receiver: HttpReceiver, settings: Settings) -> None:
    service = make_service()
    service.until_ready()
    producer = Producer(settings.kafka_client)
    producer.produce(service.topic, b"not an alert")
    producer.flush()
    service.say(named(1))
    service.until(lambda: len(webhook_keys(receiver)) == 1)
    assert 'outcome="unreadable"} 1.0' in service.get("/metrics")[1]
    assert "not an alert" in (service.folder / "log").read_text()


def _tell_all(service: AlertService, alerts: list[Alert], seed: float) -> None:
    """Over some ten seconds: each begins, and ends some time after it began."""
    chance = random.Random(seed)  # noqa: S311
    moments = [(chance.uniform(0, 6), alert) for alert in alerts]
    ends = [(begin + chance.uniform(0.1, 4), resolved(alert, MINUTE)) for begin, alert in moments]
    began = time.monotonic()
    for moment, alert in sorted([*moments, *ends], key=lambda pair: pair[0]):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        service.say(alert)
