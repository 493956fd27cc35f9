"""How far the jobs' consumer groups are behind the end of the log."""

from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contracts.names import DATA_PIPELINES, POINT_PIPELINES
from contracts.settings import Settings, Topic

CALL_SECONDS: Final = 3.0


class Lag:
    """Asks over connections of its own, which are kept; threads may not share it.

    By consumers that never subscribe, not by the admin client: librdkafka (2.x, seen) crashes the process when a
    coordinator that is still starting refuses the admin client's question for a group's offsets.
    """

    def __init__(self, settings: Settings) -> None:
        tags, points = _places(settings.topics.user_tags), _places(settings.topics.points)
        self._places = dict.fromkeys(DATA_PIPELINES, tags) | dict.fromkeys(POINT_PIPELINES, points)
        quiet = {"log_level": 0, "enable.auto.commit": False}
        self._consumers = {
            name: Consumer({**settings.kafka_client, **quiet, "group.id": f"tidewatch-{name}"}) for name in self._places
        }

    def ask(self) -> dict[str, int]:
        """Records by pipeline that its Flink source has not committed yet, as of its last checkpoint.

        A partition of which nothing was committed counts from its first record. Empty while the broker is away.
        """
        try:
            return {name: self._behind(consumer, self._places[name]) for name, consumer in self._consumers.items()}
        except KafkaException:
            return {}

    def _behind(self, consumer: Consumer, places: list[TopicPartition]) -> int:
        behind = 0
        for place in consumer.committed(places, timeout=CALL_SECONDS):
            begin, end = consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)
            behind += end - (place.offset if place.offset >= 0 else begin)
        return behind


def _places(topic: Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]
