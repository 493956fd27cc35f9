"""A tag: what the contract allows, and what an error names."""

import msgspec
import pytest
from hypothesis import given

from contracts.tags import InvalidTag, UserTag, check_not_future, decode_tag, encode_tag, event_time
from contracts.times import FUTURE_MS, LATEST_MS
from tests.unit.strategies import NOW, tags

PRODUCT = {"product_id": 12486, "brand_id": "Ebros_Gift", "category_id": "Trousers", "price": 28969}
GOOD = {
    "time": "2022-03-01T00:00:00.649Z",
    "cookie": "9WkYGxkiXBfpMIjBGURC",
    "country": "CL",
    "device": "MOBILE",
    "action": "VIEW",
    "origin": "CAMPAIGN_321",
    "product_info": PRODUCT,
}


def changed(path: str, value: object) -> bytes:
    """The good tag with another value at a dotted path, as JSON."""
    outer, _, inner = path.partition(".")
    return msgspec.json.encode({**GOOD, outer: {**PRODUCT, inner: value} if inner else value})


@given(tags())
def test_what_is_encoded_is_decoded_to_the_same(tag: UserTag) -> None:
    line = encode_tag(tag)
    assert b"\n" not in line
    assert decode_tag(line) == tag


def test_keys_keep_the_contracts_order() -> None:
    line = msgspec.json.encode(GOOD)
    assert encode_tag(decode_tag(line)) == line


@pytest.mark.parametrize("product_id", [0, 12486, -(2**63), 2**63 - 1, "0", "sku-1", "ü"])
def test_a_product_id_keeps_its_type(product_id: int | str) -> None:
    tag = decode_tag(changed("product_info.product_id", product_id))
    assert tag.product_info.product_id == product_id
    assert type(tag.product_info.product_id) is type(product_id)
    assert msgspec.json.decode(encode_tag(tag))["product_info"]["product_id"] == product_id


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [("2022-03-01T00:00:01Z", 1_646_092_801_000), (1_646_092_801_000, 1_646_092_801_000), (0, 0)],
)
def test_a_time_keeps_its_spelling(time: int | str, milliseconds: int) -> None:
    tag = decode_tag(changed("time", time))
    assert tag.time == time
    assert event_time(tag) == milliseconds


def test_unknown_fields_are_left_out() -> None:
    tag = decode_tag(msgspec.json.encode({**GOOD, "weather": "fine"}))
    assert encode_tag(tag) == msgspec.json.encode(GOOD)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("time", None),
        ("time", True),
        ("time", 2**63),
        ("time", "x" * 65),
        ("cookie", ""),
        ("cookie", 5),
        ("cookie", "x" * 257),
        ("country", ""),
        ("device", "FRIDGE"),
        ("device", "pc"),
        ("action", "CLICK"),
        ("origin", None),
        ("product_info", None),
        ("product_info.product_id", ""),
        ("product_info.product_id", 1.5),
        ("product_info.product_id", 2**63),
        ("product_info.brand_id", "x" * 257),
        ("product_info.category_id", []),
        ("product_info.price", "1"),
        ("product_info.price", 2**31),
        ("product_info.price", -(2**31) - 1),
    ],
)
def test_an_error_names_the_field(path: str, value: object) -> None:
    with pytest.raises(InvalidTag) as caught:
        decode_tag(changed(path, value))
    assert caught.value.field == path
    assert caught.value.reason


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(InvalidTag, match=f"missing required field `{name}`"):
        decode_tag(msgspec.json.encode({key: value for key, value in GOOD.items() if key != name}))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"5", b"\xff", b'{"cookie":"\\ud800"}', b"[" * 100_000, b'{"cookie":"\xed\xa0\x80"}']
)
def test_what_is_no_tag_is_invalid(data: bytes) -> None:
    with pytest.raises(InvalidTag):
        decode_tag(data)


@pytest.mark.parametrize("time", ["soon", "2022-03-01T00:00:00", -1, LATEST_MS, "1969-12-31T23:59:59Z"])
def test_a_time_that_is_none(time: int | str) -> None:
    tag = decode_tag(changed("time", time))
    with pytest.raises(InvalidTag) as caught:
        event_time(tag)
    assert caught.value.field == "time"


def test_times_may_be_five_minutes_ahead() -> None:
    check_not_future(NOW + FUTURE_MS, NOW)
    check_not_future(0, NOW)
    with pytest.raises(InvalidTag, match="300 s ahead of the clock; at most 300 s") as caught:
        check_not_future(NOW + FUTURE_MS + 1, NOW)
    assert caught.value.field == "time"
