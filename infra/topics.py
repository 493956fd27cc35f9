"""The platform's Kafka topics: created when missing, and told apart from recreated ones by their id."""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec  # where it comes from, as below
from confluent_kafka.cimpl import NewTopic  # where it comes from: the package does not list it as its own

from contracts.settings import Settings, Topic

KEPT_MS: Final = 30 * 24 * 3_600_000  # of dead letters and alerts: their timestamps are the clock's
CALL_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.2
NOT_YET: Final = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)

Answer = TypeVar("Answer")


class TopicError(Exception):
    """The topics cannot be read or created; the message says what to do."""


def ensure(settings: Settings, timeout: float) -> dict[str, str]:
    """Creates those of the settings' topics that are missing; returns {name: id as UUID text} of all, once every
    partition can be read.

    An existing topic is left as it is. TopicError when it has another number of partitions than the settings say (keys
    map to partitions), or when the broker has not done it all within `timeout` seconds.
    """
    admin = _admin(settings)
    deadline = time.monotonic() + timeout
    wanted = _topics(settings)
    _until(deadline, settings, lambda: _create(admin, settings, wanted))
    found = _until(deadline, settings, lambda: _describe(admin, [topic.name for topic in wanted]))
    for topic in wanted:
        partitions = len(found[topic.name].partitions)
        if partitions != topic.partitions:
            raise TopicError(
                f"topic {topic.name} has {partitions} partitions and the settings say {topic.partitions}: "
                "set its `partitions` to what it has, or its `name` to that of a new topic"
            )
    _until(deadline, settings, lambda: _ask_ends(admin, wanted))
    return {name: _uuid(description.topic_id) for name, description in found.items()}


def topic_ids(settings: Settings) -> dict[str, str]:
    """{name: id as UUID text} of those of the settings' topics that exist; TopicError when no broker answers."""
    admin = _admin(settings)
    deadline = time.monotonic() + CALL_SECONDS
    existing = _until(deadline, settings, lambda: admin.list_topics(timeout=CALL_SECONDS)).topics
    names = [topic.name for topic in _topics(settings) if topic.name in existing]
    found = _until(deadline, settings, lambda: _describe(admin, names)) if names else {}
    return {name: _uuid(description.topic_id) for name, description in found.items()}


def _topics(settings: Settings) -> list[Topic]:
    topics = settings.topics
    return [topics.user_tags, topics.points, topics.series, topics.rules, topics.alerts, topics.dead_letters]


def _admin(settings: Settings) -> AdminClient:
    """Silent: what goes wrong is raised."""
    return AdminClient({**settings.kafka_client, "log_level": 0})


def _create(admin: AdminClient, settings: Settings, topics: list[Topic]) -> None:
    new = [_new(settings, topic) for topic in topics]
    for created in admin.create_topics(new, request_timeout=CALL_SECONDS).values():
        try:
            created.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _ask_ends(admin: AdminClient, topics: list[Topic]) -> None:
    """KafkaException while a partition has no leader that answers: a new one is described before it has."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the package leaves it out
    places = [TopicPartition(topic.name, partition) for topic in topics for partition in range(topic.partitions)]
    for end in admin.list_offsets(dict.fromkeys(places, latest), request_timeout=CALL_SECONDS).values():
        end.result()


def _new(settings: Settings, topic: Topic) -> NewTopic:
    topics = settings.topics
    letters = topic is topics.dead_letters
    kept = KEPT_MS if letters or topic is topics.alerts else -1
    largest = settings.kafka.max_record_bytes * (2 if letters else 1)  # a letter holds a record's bytes in base64
    config = {"retention.ms": str(kept), "max.message.bytes": str(largest)}
    if topic is topics.series:  # its readers are quick, and it can be made again from the log of events
        config["retention.bytes"] = str(settings.kafka.series_bytes // topic.partitions)
    if topic is topics.rules:
        config["cleanup.policy"] = "compact"
    return NewTopic(topic.name, topic.partitions, settings.kafka.replication_factor, config=config)


def _describe(admin: AdminClient, names: list[str]) -> dict[str, Any]:
    asked = admin.describe_topics(TopicCollection(names), request_timeout=CALL_SECONDS)
    return {name: description.result() for name, description in asked.items()}


def _uuid(identity: Any) -> str:
    """Kafka's own spelling is base64; the two halves are signed."""
    half = (1 << 64) - 1
    high, low = identity.get_most_significant_bits() & half, identity.get_least_significant_bits() & half
    return str(uuid.UUID(int=high << 64 | low))


def _until(deadline: float, settings: Settings, ask: Callable[[], Answer]) -> Answer:
    """The answer of `ask`, tried again while the broker is away or has not heard of a new topic yet."""
    while True:
        try:
            return ask()
        except KafkaException as error:
            reason = error.args[0]
            if not (reason.retriable() or reason.code() < 0 or reason.code() in NOT_YET) or time.monotonic() > deadline:
                raise TopicError(
                    f"Kafka at {settings.bootstrap_servers}: {reason.str()}; check that it is up (tidewatch status) "
                    "and the settings under kafka and topics"
                ) from None
            time.sleep(RETRY_SECONDS)
