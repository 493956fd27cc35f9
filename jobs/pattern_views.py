"""What patterns look at, as tables with a row an event or a bin: records that hold many are unfolded here.

Times are event times. `user_tags` keeps the watermark of its source; the bins of topic `series` carry theirs in what
they are, as their records have the clock's.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from pyflink.common import Row, TypeInformation, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.table import Schema

import sql
from contracts import series
from contracts.codec import Record, decode
from contracts.events import EVENT_SCHEMA
from contracts.series import Bin
from contracts.times import MINUTE_MS
from jobs.buffer import record_of
from jobs.flink import Pipeline, Source

TAG_FIELDS: Final = (
    "cookie",
    "country",
    "device",
    "action",
    "origin",
    "product_id",
    "brand_id",
    "category_id",
    "price",
)
LABELS: Final = msgspec.json.Encoder(order="sorted")

View = Callable[[Pipeline, Source], None]


def user_tags(pipeline: Pipeline, source: Source) -> None:
    """Makes the view `user_tags`: rowtime, and what `names` lists."""
    names = ["ms", "cookie", "country", "device", "action", "origin", "product", "brand", "category", "price"]
    kinds = [Types.LONG(), *[Types.STRING()] * 8, Types.INT()]
    _view(pipeline, source, UnfoldTags(), "user_tags", Types.ROW_NAMED(names, kinds), "SOURCE_WATERMARK()")


def minutes(pipeline: Pipeline, source: Source) -> None:
    """Makes the view `minutes`, see sql/views/minutes.sql."""
    names = ["ms", "metric", "labels", "value"]
    kinds = [Types.LONG(), Types.STRING(), Types.STRING(), Types.DOUBLE()]
    late = f"rowtime - INTERVAL '{pipeline.settings.jobs.watermark_delay_seconds}' SECOND"
    _view(pipeline, source, UnfoldBins(), "bins", Types.ROW_NAMED(names, kinds), late)
    pipeline.tables.create_temporary_view("minutes", pipeline.tables.sql_query(sql.read("views/minutes")))


VIEWS: Final[dict[str, tuple[str, View]]] = {  # by name: the topic that it is made of, in settings.topics, and how
    "user_tags": ("user_tags", user_tags),
    "minutes": ("series", minutes),
}


class Unfold(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Takes records, yields their rows; what cannot be read has been reported by others."""

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        return map(_row, self.rows(record_of(value)))

    def rows(self, record: Record) -> Iterator[tuple[Any, ...]]:
        raise NotImplementedError


class UnfoldTags(Unfold):
    """A row a tag, its time in ms first."""

    def rows(self, record: Record) -> Iterator[tuple[Any, ...]]:
        events = decode([record], EVENT_SCHEMA).events
        return zip(*(events.column(name).to_pylist() for name in ("time", *TAG_FIELDS)), strict=True)


class UnfoldBins(Unfold):
    """A row for each bin of a minute, at the last millisecond of it; one without a metric for each progress."""

    def rows(self, record: Record) -> Iterator[tuple[Any, ...]]:
        try:
            messages = series.decode(record.payload)
        except msgspec.DecodeError:
            return
        for message in messages:
            if message.resolution != MINUTE_MS:
                continue
            if isinstance(message, Bin):
                end = message.start + MINUTE_MS - 1
                yield end, message.metric, LABELS.encode(message.labels).decode(), float(message.value)
            else:
                yield message.through - 1, None, None, None


def _row(values: tuple[Any, ...]) -> Row:
    return Row(*values)


def _view(pipeline: Pipeline, source: Source, unfold: Unfold, name: str, kind: TypeInformation, watermark: str) -> None:
    rows = pipeline.process(pipeline.records(source), unfold, kind)
    schema = (
        Schema.new_builder().column_by_expression("rowtime", "TO_TIMESTAMP_LTZ(ms, 3)").watermark("rowtime", watermark)
    )
    pipeline.tables.create_temporary_view(name, pipeline.tables.from_data_stream(rows, schema.build()))
