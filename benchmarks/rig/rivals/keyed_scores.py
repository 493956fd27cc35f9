"""Each series' mean and variance in Flink's own state: a key_by by series and a KeyedProcessFunction, one JSON object a
record. Run by `-pym rivals.keyed_scores BOOTSTRAP TOPIC`.
"""

import json
import sys
from collections.abc import Iterator
from math import sqrt

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.state import ValueStateDescriptor

NAME = "rival-keyed-scores"
WEIGHT = 0.02  # of the newest bin
UNUSUAL = 6.0  # standard deviations


class Scores(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Exponentially weighted mean and variance; yields what is far from the mean."""

    def open(self, runtime_context: RuntimeContext) -> None:
        kept = Types.PICKLED_BYTE_ARRAY()
        self._moments = runtime_context.get_state(ValueStateDescriptor("moments", kept))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        name, _, number = value
        mean, variance = self._moments.value() or (number, 0.0)
        off = number - mean
        if variance and abs(off) > UNUSUAL * sqrt(variance):
            yield f"{name}: {number}"
        mean += WEIGHT * off
        self._moments.update((mean, (1 - WEIGHT) * (variance + WEIGHT * off * off)))


def keyed(line: str) -> Row:
    one = json.loads(line)
    return Row(f"{one['metric']} {sorted(one['labels'].items())}", one["start"], float(one["value"]))


def main() -> None:
    bootstrap, topic = sys.argv[1:]
    env = StreamExecutionEnvironment.get_execution_environment()
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(bootstrap)
        .set_topics(topic)
        .set_group_id(NAME)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "bins")
    rows = lines.map(keyed, Types.ROW([Types.STRING(), Types.LONG(), Types.DOUBLE()]))
    rows.key_by(lambda row: row[0], key_type=Types.STRING()).process(Scores(), Types.STRING()).print()
    env.execute(NAME)


if __name__ == "__main__":
    main()
