"""Signs of life: canaries that the service sends and misses, and its heartbeats."""

import time
import uuid

from alerts.canary import Canary
from contracts.points import decode_point
from contracts.settings import CANARY_SECONDS, Settings, Topic
from infra import topic_records, topics
from tests.conftest import START_SECONDS, RealPart
from tests.integration.alert_service import MakeService, webhook_keys, webhook_messages
from tests.unit.alerting import firing
from tests.unit.http_receiver import HttpReceiver


def test_a_way_that_is_broken_is_told_without_it(
    make_service: MakeService, receiver: HttpReceiver, broker: RealPart, settings: Settings
) -> None:
    points = topic_of_points(settings)
    service = make_service(
        ALERTS__CANARY_SECONDS=str(CANARY_SECONDS),
        ALERTS__CANARY_LATE_SECONDS="1",
        TOPICS__POINTS__NAME=points.name,
        TOPICS__POINTS__PARTITIONS="1",
    )
    service.until(lambda: bool(list(topic_records.held(settings, points))))
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


def test_signs_of_life_go_out(make_service: MakeService, receiver: HttpReceiver) -> None:
    service = make_service(ALERTS__HEARTBEAT_URL=f"{receiver.url}/alive", ALERTS__HEARTBEAT_SECONDS="1")
    service.until(lambda: len([call for call in receiver.calls if call.path == "/alive"]) >= 2)
    assert service.stop() == 0
