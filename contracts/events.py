"""Events as Arrow: the schema that tags, archive and jobs share, and the way from tags to it and back."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from contracts.coded import CODED
from contracts.tags import ProductInfo, UserTag

# `time_text` is null when `time` came as a number.
_NUMBER: Final = re.compile("0|-?[1-9][0-9]{0,18}")
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


# Columns whose texts repeat: as codes they take a fraction of the bytes, and of the time to group by them.
REPEATED: Final = ("country", "device", "action", "origin", "brand_id", "category_id")
# What counting looks at.
COUNTED_SCHEMA: Final = pa.schema(
    [
        pa.field("time", pa.int64(), nullable=False),
        *(pa.field(name, CODED, nullable=False) for name in REPEATED),
        pa.field("price", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
    ]
)

_COLUMNS: Final[dict[str, Callable[[Sequence[UserTag]], list[Any]]]] = {
    "time_text": lambda tags: [None if isinstance(tag.time, int) else tag.time for tag in tags],
    "cookie": lambda tags: [tag.cookie for tag in tags],
    "country": lambda tags: [tag.country for tag in tags],
    "device": lambda tags: [tag.device for tag in tags],
    "action": lambda tags: [tag.action for tag in tags],
    "origin": lambda tags: [tag.origin for tag in tags],
    "product_id": lambda tags: [str(tag.product_info.product_id) for tag in tags],
    "product_id_is_number": lambda tags: [isinstance(tag.product_info.product_id, int) for tag in tags],
    "brand_id": lambda tags: [tag.product_info.brand_id for tag in tags],
    "category_id": lambda tags: [tag.product_info.category_id for tag in tags],
    "price": lambda tags: [tag.product_info.price for tag in tags],
}


def events_of(tags: Sequence[UserTag], times: Sequence[int], schema: pa.Schema = EVENT_SCHEMA) -> pa.RecordBatch:
    """Validated tags and their epoch milliseconds as a RecordBatch, of those columns of events that `schema` names."""
    fields = [field for field in EVENT_SCHEMA if field.name in schema.names]
    columns = [times if field.name == "time" else _COLUMNS[field.name](tags) for field in fields]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


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


def encode_row(row: Mapping[str, Any]) -> bytes:
    """A row of `EVENT_SCHEMA`, whose values may break the contract, as the line that a client would have sent."""
    product: int | str = row["product_id"]
    if row["product_id_is_number"] and _NUMBER.fullmatch(row["product_id"]):
        product = int(product)
    names = ("cookie", "country", "device", "action", "origin")
    info = {"product_id": product, **{name: row[name] for name in ("brand_id", "category_id", "price")}}
    time = row["time"] if row["time_text"] is None else row["time_text"]
    return msgspec.json.encode({"time": time, **{name: row[name] for name in names}, "product_info": info})
