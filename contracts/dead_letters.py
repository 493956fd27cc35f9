"""What crosses topic `dead-letters`: a line or record that could not be read, with reason, place and bytes.

The Kafka key is the letter's id, which is made of the place: one line has one id however often it is found.
"""

import base64
from uuid import UUID

import msgspec

from contracts.codec import Reject


class DeadLetter(msgspec.Struct, frozen=True):
    """`line` is 0-based, -1 for the whole record; `data` is base64 of the bytes as they came."""

    id: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    line: int
    field: str
    reason: str
    data: str

    @property
    def is_record(self) -> bool:
        """Whether it is of a whole Arrow record, not of a line."""
        return self.line < 0

    def original(self) -> bytes:
        """The bytes as they came."""
        return base64.b64decode(self.data)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(DeadLetter)


def letter(topic: str, topic_id: UUID, partition: int, reject: Reject, longest: int | None = None) -> DeadLetter:
    """The letter of a reject of this partition; of more than `longest` bytes the first, and the reason says so."""
    data, reason = reject.data, reject.reason
    if longest is not None and len(data) > longest:
        data, reason = data[:longest], f"{reason} (the first {longest} of {len(data)} bytes)"
    return DeadLetter(
        id=f"{topic_id}/{partition}/{reject.offset}/{reject.line}",
        topic=topic,
        topic_id=str(topic_id),
        partition=partition,
        offset=reject.offset,
        line=reject.line,
        field=reject.field,
        reason=reason,
        data=base64.b64encode(data).decode(),
    )


def encode(dead: DeadLetter) -> str:
    """The value of a record, as text."""
    return _encoder.encode(dead).decode()


def decode(value: bytes) -> DeadLetter:
    """The letter of a record's value; msgspec.DecodeError when it is none."""
    return _decoder.decode(value)
