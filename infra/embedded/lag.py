"""How far the jobs' consumer groups are behind the end of the log."""

from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contracts.names import DATA_PIPELINES
from contracts.settings import Settings

CALL_SECONDS: Final = 3.0


class Lag:
    """Asks over connections of its own, which are kept; threads may not share it.

    By consumers that never subscribe, not by the admin client: librdkafka (2.x, seen) crashes the process when a
    coordinator that is still starting refuses the admin client's question for a group's offsets.
    """

    def __init__(self, settings: Settings) -> None:
        topic = settings.topics.user_tags
        self._places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        quiet = {"log_level": 0, "enable.auto.commit": False}
        self._consumers = {
            name: Consumer({**settings.kafka_client, **quiet, "group.id": f"tidewatch-{name}"})
            for name in DATA_PIPELINES
        }

    def ask(self) -> dict[str, int]:
        """Records by pipeline that its Flink source has not committed yet, as of its last checkpoint.

        A partition of which nothing was committed counts from its first record. Empty while the broker is away.
        """
        try:
            first = next(iter(self._consumers.values()))
            bounds = {place.partition: _bounds(first, place) for place in self._places}
            committed = {name: self._committed(consumer) for name, consumer in self._consumers.items()}
        except KafkaException:
            return {}
        return {
            name: sum(end - offsets.get(partition, begin) for partition, (begin, end) in bounds.items())
            for name, offsets in committed.items()
        }

    def _committed(self, consumer: Consumer) -> dict[int, int]:
        places = consumer.committed(self._places, timeout=CALL_SECONDS)
        return {place.partition: place.offset for place in places if place.offset >= 0}


def _bounds(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    begin, end = consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)
    return int(begin), int(end)
