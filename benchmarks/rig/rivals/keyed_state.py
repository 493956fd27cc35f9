"""The newest tags of each cookie in Flink's own state: a key_by by cookie and a KeyedProcessFunction, one JSON object a
record. Run by `-pym rivals.keyed_state BOOTSTRAP TOPIC`.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.state import ListStateDescriptor

NAME = "rival-keyed-state"
KEEP = 200


class NewestTags(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Keeps the newest of each kind; yields nothing."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._kept = {
            action: runtime_context.get_list_state(ListStateDescriptor(action, Types.STRING()))
            for action in ("VIEW", "BUY")
        }

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        _, action, line = value
        state = self._kept[action]
        state.add(line)
        kept = list(state.get())
        if len(kept) > KEEP:
            state.update(sorted(kept, key=lambda text: json.loads(text)["time"])[-KEEP:])
        return iter(())


def keyed(line: str) -> Row:
    tag = json.loads(line)
    return Row(tag["cookie"], tag["action"], line)


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
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "tags")
    rows = lines.map(keyed, Types.ROW([Types.STRING(), Types.STRING(), Types.STRING()]))
    rows.key_by(lambda row: row[0], key_type=Types.STRING()).process(NewestTags(), Types.STRING()).print()
    env.execute(NAME)


if __name__ == "__main__":
    main()
