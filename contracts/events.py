"""Events as Arrow: the schema that tags, archive and jobs share, and the way from tags to it and back."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from contracts.tags import ProductInfo, UserTag

# `time_text` is null when `time` came as a number.
EVENT_SCHEMA: Final = pa.schema(
    [
        pa.field("time", pa.int64(), nullable=False),  # epoch ms
        pa.field("time_text", pa.string()),
        pa.field("cookie", pa.string(), nullable=False),
        pa.field("country", pa.string(), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("product_id_is_number", pa.bool_(), nullable=False),
        pa.field("brand_id", pa.string(), nullable=False),
        pa.field("category_id", pa.string(), nullable=False),
        pa.field("price", pa.int32(), nullable=False),
    ]
)
# What decoding adds: where in the log each event stands and when it came in.
PLACE_FIELDS: Final = (
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("line", pa.int32(), nullable=False),  # 0-based, over physical lines or Arrow rows
    pa.field("ingested", pa.int64(), nullable=False),  # epoch ms
)
PLACED_SCHEMA: Final = pa.schema([*EVENT_SCHEMA, *PLACE_FIELDS])


def events_of(tags: Sequence[UserTag], times: Sequence[int]) -> pa.RecordBatch:
    """Validated tags and their epoch milliseconds as a RecordBatch of `EVENT_SCHEMA`."""
    products = [tag.product_info for tag in tags]
    ids = [product.product_id for product in products]
    columns = [
        times,
        [None if isinstance(tag.time, int) else tag.time for tag in tags],
        [tag.cookie for tag in tags],
        [tag.country for tag in tags],
        [tag.device for tag in tags],
        [tag.action for tag in tags],
        [tag.origin for tag in tags],
        [str(product_id) for product_id in ids],
        [isinstance(product_id, int) for product_id in ids],
        [product.brand_id for product in products],
        [product.category_id for product in products],
        [product.price for product in products],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EVENT_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=EVENT_SCHEMA)


def placed(events: pa.RecordBatch, offsets: pa.Array, lines: pa.Array, ingested: pa.Array) -> pa.RecordBatch:
    """The events with their places, as a RecordBatch of `PLACED_SCHEMA`."""
    return pa.RecordBatch.from_arrays([*events.columns, offsets, lines, ingested], schema=PLACED_SCHEMA)


def tags_of(events: pa.RecordBatch) -> list[UserTag]:
    """The rows as tags again, with `time` and `product_id` as they first came in."""
    columns = [events.column(name).to_pylist() for name in EVENT_SCHEMA.names]
    rows = zip(*columns, strict=True)
    return [
        UserTag(
            ms if text is None else text,
            cookie,
            country,
            device,
            action,
            origin,
            ProductInfo(int(product) if is_number else product, brand, category, price),
        )
        for ms, text, cookie, country, device, action, origin, product, is_number, brand, category, price in rows
    ]
