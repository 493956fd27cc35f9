"""Topics of a test's own for rules and what comes of them."""

from uuid import uuid4

from contracts.alerts import Alert, decode
from contracts.rule_sets import parse, to_records
from contracts.settings import Settings, Topic
from infra import topic_records
from infra import topics as kafka_topics
from tests.conftest import START_SECONDS


def with_topics(settings: Settings, **partitions: int) -> Settings:
    """The settings with new topics, which exist, in place of those named, of so many partitions each."""
    changed = {field: Topic(name=f"{field}-{uuid4().hex[:8]}", partitions=count) for field, count in partitions.items()}
    found = settings.model_copy(update={"topics": settings.topics.model_copy(update=changed)})
    kafka_topics.ensure(found, START_SECONDS)
    return found


def put_in_force(settings: Settings, rules: str) -> None:
    """Writes the rules of a YAML text to their topic."""
    topic_records.write(settings, settings.topics.rules, to_records(parse(rules, "test")))


def alerts(settings: Settings) -> list[Alert]:
    """All that a reader of committed transactions finds."""
    held = topic_records.held(settings, settings.topics.alerts)
    return [decode(message.value() or b"") for message in held]
