"""Dead letters: one id a place, and the bytes as they came."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import Reject
from contracts.dead_letters import decode, encode, letter

TOPIC = UUID("12345678-0000-4000-8000-000000000000")
REJECTS = st.builds(
    Reject,
    st.integers(0, 2**63 - 1),
    st.integers(-1, 2**31 - 1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)


@given(REJECTS, st.integers(0, 127))
def test_letters_come_back_as_they_were(reject: Reject, partition: int) -> None:
    dead = letter("user-tags", TOPIC, partition, reject)
    again = decode(encode(dead).encode())
    assert again == dead
    assert again.original() == reject.data
    assert (again.partition, again.offset, again.line) == (partition, reject.offset, reject.line)
    assert (again.field, again.reason, again.topic, again.topic_id) == (
        reject.field,
        reject.reason,
        "user-tags",
        str(TOPIC),
    )


def test_a_letter_that_no_record_can_hold_is_cut_and_says_so() -> None:
    dead = letter("t", TOPIC, 2, Reject(7, -1, "", "no line", b"abcdef"), longest=4)
    assert (dead.original(), dead.reason) == (b"abcd", "no line (the first 4 of 6 bytes)")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1000), st.integers(-1, 1000)), unique=True))
def test_an_id_is_its_place(places: list[tuple[int, int, int]]) -> None:
    ids = [letter("t", TOPIC, partition, Reject(offset, line, "", "", b"")).id for partition, offset, line in places]
    assert len(set(ids)) == len(places)
    assert letter("t", TOPIC, 2, Reject(7, -1, "", "", b"")).id == f"{TOPIC}/2/7/-1"


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"id":1}'])
def test_what_is_no_letter_is_an_error(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(value)
