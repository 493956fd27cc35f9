"""What patterns look at, as tables with a row an event or a bin: records that hold many are unfolded here.

Times are event times. `user_tags` keeps the watermark of its source. That of topic `series` is the clock's and says
nothing of its bins, of which each stream has a progress of its own: `minutes` goes by that.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import DataStream, KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import Schema

from analysis import shop_minutes
from analysis.shop_minutes import OpenMinutes, ShopMinute
from contracts import series
from contracts.codec import decode
from contracts.events import EVENT_SCHEMA
from contracts.times import MINUTE_MS
from jobs.buffer import record_of
from jobs.flink import BLOB, Pipeline, Source

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

View = Callable[[Pipeline, Source], None]


def user_tags(pipeline: Pipeline, source: Source) -> None:
    """Makes the view `user_tags`: rowtime, and what `names` lists."""
    names = ["ms", "cookie", "country", "device", "action", "origin", "product", "brand", "category", "price"]
    kinds = [Types.LONG(), *[Types.STRING()] * 8, Types.INT()]
    rows = pipeline.process(pipeline.records(source), UnfoldTags(), Types.ROW_NAMED(names, kinds))
    _view(pipeline, rows, "user_tags", "SOURCE_WATERMARK()")


def minutes(pipeline: Pipeline, source: Source) -> None:
    """Makes the view `minutes`: rowtime, the minute's last millisecond, and counts as `ShopMinute` has them."""
    kinds = [Types.LONG(), *[Types.DOUBLE()] * 4]
    lateness = pipeline.settings.jobs.points_lateness_minutes * MINUTE_MS
    some = pipeline.process(pipeline.records(source), PickShop(), Types.ROW([Types.INT(), BLOB()]))
    one = some.key_by(lambda row: row[0], key_type=Types.INT())
    rows = pipeline.process(one, CloseMinutes(lateness), Types.ROW_NAMED(["ms", *ShopMinute._fields[1:]], kinds))
    _view(pipeline, rows, "minutes", "rowtime")  # they come in order


VIEWS: Final[dict[str, tuple[str, View]]] = {  # by name: the topic that it is made of, in settings.topics, and how
    "user_tags": ("user_tags", user_tags),
    "minutes": ("series", minutes),
}


class UnfoldTags(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """A row a tag, its time in ms first; what cannot be read has been reported by others."""

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        events = decode([record_of(value)], EVENT_SCHEMA).events
        columns = (events.column(name).to_pylist() for name in ("time", *TAG_FIELDS))
        return (Row(*values) for values in zip(*columns, strict=True))


class PickShop(KeyedProcessFunction):  # type: ignore[misc]  # as above
    """Of each record of topic `series` the messages that concern the shop's minutes, all under one key."""

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        try:
            some = list(filter(shop_minutes.concerns, series.decode(record_of(value).payload)))
        except msgspec.DecodeError:
            return  # reported by others
        if some:
            yield Row(0, series.encode(some))


class CloseMinutes(KeyedProcessFunction):  # type: ignore[misc]  # as above
    """Takes what `PickShop` yields, all under one key; yields the minutes that are over."""

    def __init__(self, lateness: int) -> None:
        self._lateness = lateness
        self._minutes: OpenMinutes | None = None  # a copy of what keyed state holds

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pages = runtime_context.get_map_state(MapStateDescriptor("pages", Types.STRING(), BLOB()))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        if self._minutes is None:
            self._minutes = OpenMinutes(self._lateness, dict(self._pages.items()))
        over = self._minutes.take(series.decode(value[1]))
        for name, data in self._minutes.changes().items():
            if data is None:
                self._pages.remove(name)
            else:
                self._pages.put(name, data)
        return (Row(*one) for one in over)


def _view(pipeline: Pipeline, rows: DataStream, name: str, watermark: str) -> None:
    schema = (
        Schema.new_builder().column_by_expression("rowtime", "TO_TIMESTAMP_LTZ(ms, 3)").watermark("rowtime", watermark)
    )
    pipeline.tables.create_temporary_view(name, pipeline.tables.from_data_stream(rows, schema.build()))
