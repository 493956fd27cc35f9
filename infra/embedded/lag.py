"""How far the jobs' consumer groups are behind the end of the log."""

from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from contracts.settings import Settings

PIPELINES: Final = ("archive", "aggregates", "profiles")
CALL_SECONDS: Final = 3.0


class Lag:
    """Asks over one connection; threads may not share it."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.user_tags
        self._admin = AdminClient({**settings.kafka_client, "log_level": 0, "error_cb": lambda _: None})

    def ask(self) -> dict[str, int]:
        """Records by pipeline that its Flink source has not committed yet, as of its last checkpoint.

        Without those that committed nothing; empty while the broker is away.
        """
        places = [TopicPartition(self._topic.name, number) for number in range(self._topic.partitions)]
        try:
            latest = OffsetSpec.latest()
            asked = self._admin.list_offsets(dict.fromkeys(places, latest), request_timeout=CALL_SECONDS)
            ends = {place.partition: found.result().offset for place, found in asked.items()}
            committed = {pipeline: self._committed(pipeline) for pipeline in PIPELINES}
        except KafkaException:
            return {}
        return {
            pipeline: sum(ends[partition] - offsets.get(partition, 0) for partition in ends)
            for pipeline, offsets in committed.items()
            if offsets
        }

    def _committed(self, pipeline: str) -> dict[int, int]:
        group = ConsumerGroupTopicPartitions(f"tidewatch-{pipeline}")
        asked = self._admin.list_consumer_group_offsets([group], request_timeout=CALL_SECONDS)
        places = next(iter(asked.values())).result().topic_partitions
        return {place.partition: place.offset for place in places if place.topic == self._topic.name and place.offset >= 0}
