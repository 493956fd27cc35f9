"""What the platform holds in the end, read past its API: archive, aggregates, dead letters."""

from collections import Counter
from typing import Final
from uuid import uuid4

import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition

from contracts import dead_letters
from contracts.events import PLACED_SCHEMA
from contracts.names import DATA_PIPELINES
from contracts.settings import Settings
from stores import clickhouse
from tests.chaos.expectations import Groups

READ_SECONDS: Final = 300.0
BROKER_SECONDS: Final = 30.0

ARCHIVED: Final = """
SELECT
    toUnixTimestamp64Milli(time) AS time, nullIf(time_text, '') AS time_text, cookie, toString(country) AS country,
    toString(device) AS device, toString(action) AS action, toString(origin) AS origin, product_id,
    product_id_is_number, toString(brand_id) AS brand_id, toString(category_id) AS category_id, price, offset, line,
    toUnixTimestamp64Milli(ingested) AS ingested
FROM user_tags FINAL
WHERE user_tags.time >= fromUnixTimestamp64Milli({begin:Int64})
  AND user_tags.time < fromUnixTimestamp64Milli({end:Int64})
"""
COUNTED: Final = """
SELECT toUnixTimestamp(minute) AS second, action, origin, brand_id, category_id, sum(count), sum(sum_price)
FROM aggregates_1m FINAL
WHERE second >= intDiv({begin:Int64}, 60000) * 60 AND second * 1000 < {end:Int64}
GROUP BY second, action, origin, brand_id, category_id
"""


def log_ends(settings: Settings) -> dict[int, int]:
    """By partition of the topic of tags, the offset after its last record."""
    consumer = Consumer({**settings.kafka_client, "group.id": str(uuid4())})
    ends = {
        place.partition: consumer.get_watermark_offsets(place, timeout=BROKER_SECONDS)[1] for place in _places(settings)
    }
    consumer.close()
    return ends


def read_through(settings: Settings, ends: dict[int, int]) -> bool:
    """Whether a checkpoint of each pipeline holds all records before `ends`. Collectors send empty records for ever, so
    the lag need not be zero at any one moment."""
    for pipeline in DATA_PIPELINES:
        consumer = Consumer({**settings.kafka_client, "group.id": f"tidewatch-{pipeline}"})
        places = consumer.committed(_places(settings), timeout=BROKER_SECONDS)
        consumer.close()
        if any(place.offset < ends[place.partition] for place in places):
            return False
    return True


def _places(settings: Settings) -> list[TopicPartition]:
    topic = settings.topics.user_tags
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


def archived(settings: Settings, begin: int, end: int) -> pa.RecordBatch:
    """The events with `begin <= time < end` (epoch milliseconds) as `PLACED_SCHEMA`."""
    with clickhouse.connect(settings, timeout=READ_SECONDS) as client:
        table = client.query_arrow(ARCHIVED, {"begin": begin, "end": end})
    batches = table.cast(PLACED_SCHEMA).combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], PLACED_SCHEMA)


def counted(settings: Settings, begin: int, end: int) -> Groups:
    """All groups of the minutes that `[begin, end)` touches."""
    with clickhouse.connect(settings, timeout=READ_SECONDS) as client:
        rows = client.query(COUNTED, {"begin": begin, "end": end}).result_rows
    return {tuple(row[:5]): (row[5], row[6]) for row in rows}


def letters(settings: Settings, mark: bytes) -> Counter[bytes]:
    """How often each dead letter whose bytes hold `mark` stands there for a reader of committed transactions."""
    options = {"group.id": str(uuid4()), "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({**settings.kafka_client, **options, "enable.auto.commit": False})
    topic = settings.topics.dead_letters
    consumer.assign([TopicPartition(topic.name, number, 0) for number in range(topic.partitions)])
    found: Counter[bytes] = Counter()
    ends = 0
    while ends < topic.partitions:
        message = consumer.poll(BROKER_SECONDS)
        if message is None:
            raise TimeoutError(f"the broker gave nothing of {topic.name} for {BROKER_SECONDS:.0f} s")
        if message.error():
            ends += 1  # errors of a broker that is away come to the log; this is the end of a partition
        else:
            found[dead_letters.decode(message.value() or b"").original()] += 1
    consumer.close()
    return Counter({piece: number for piece, number in found.items() if mark in piece})
