"""The bytes of a stored profile: a run of frames, each holding some of the cookie's events.

Adding events appends a frame, which is cheap; when the frames behind the first have grown, all are folded into one.
Whoever reads merges the frames, so what a value means does not depend on when it was folded, nor on a frame that was
appended twice. A frame is `format, length` and a zstd frame of: the number of views and of buys, then all times and all
identities, byte by byte (first all highest bytes, which are alike), then all JSON lines: columns compress better.
"""

import struct
from functools import partial
from typing import Final

import zstandard

from analysis.profiles import EMPTY, IDENTITY_BYTES, Profile, ProfileEvent, ProfileUpdate, merge, merge_profiles

_FRAME: Final = struct.Struct(">BI")  # format, length of what follows
_COUNTS: Final = struct.Struct(">II")  # views, buys
_TIME_BYTES: Final = 8
_FORMAT: Final = 2

# What zstd takes as already seen: halves a profile of few events, whose keys would fill it. Part of the format:
# another dictionary is another format number.
_DICTIONARY: Final = zstandard.ZstdCompressionDict(
    b'{"time":"2022-03-01T00:00:00.000Z","cookie":"","country":"","device":"TV","action":"BUY",'
    b'"origin":"CAMPAIGN_","product_info":{"product_id":0,"brand_id":"_","category_id":"","price":0}}\n'
    b'{"time":"2022-03-01T00:00:00.000Z","cookie":"","country":"PL","device":"PC","action":"VIEW",'
    b'"origin":"CAMPAIGN_","product_info":{"product_id":1,"brand_id":"","category_id":"","price":1}}\n'
    b'","device":"MOBILE","action":"VIEW","origin":"',
    dict_type=zstandard.DICT_TYPE_RAWCONTENT,
)
_LEVEL: Final = 3  # as fast as 1 for so little, and smaller
# The tail (the frames behind the first) that is folded: a fold of few events costs 30 us, one of hundreds 0.5 ms, and a
# tail twice the space and reading time.
TAIL_BYTES: Final = 1024
_TAIL_SHARE: Final = 0.25  # of the first frame: what a small profile's tail may grow to


_event: Final = partial(tuple.__new__, ProfileEvent)  # from (time, identity, JSON), a third of what `_make` costs


class CorruptProfile(ValueError):
    """A stored value that is not one of ours, or of a later version."""


class ProfileCodec:
    """Values of the store; `keep` newest events of each list. Not to be shared by threads: zstd contexts are not."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        _DICTIONARY.precompute_compress(level=_LEVEL)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=True, write_dict_id=False
        )
        self._compressor = zstandard.ZstdCompressor(dict_data=_DICTIONARY, compression_params=parameters)
        self._decompressor = zstandard.ZstdDecompressor(dict_data=_DICTIONARY, format=zstandard.FORMAT_ZSTD1_MAGICLESS)

    def decode(self, value: bytes | memoryview) -> Profile:
        """The profile in a value: all its frames merged, newest first, cut to `keep` of each list."""
        frames, start = [], 0
        while start < len(value):
            body = start + _FRAME.size
            start = body + _frame_length(value, start)
            frames.append(self._events(value[body:start]))
        if len(frames) == 1:
            return frames[0]  # every frame is in order and cut
        views = [event for frame in frames for event in frame.views]
        buys = [event for frame in frames for event in frame.buys]
        return Profile(merge(views, (), self._keep), merge(buys, (), self._keep))

    def add(self, value: bytes | memoryview | None, update: ProfileUpdate) -> bytes:
        """The value with the update's events in it; `value` None: there was none."""
        if value is None or not self.wants_fold(value):
            return bytes(value or b"") + self.frame(update)
        return self.fold(value, update)

    def frame(self, update: ProfileUpdate) -> bytes:
        """The update as one frame: a value by itself, or to be appended to one."""
        return self._frame(merge_profiles(EMPTY, update, self._keep))

    def fold(self, value: bytes | memoryview, update: ProfileUpdate | Profile = EMPTY) -> bytes:
        """The value's events and the update's as a single frame."""
        return self._frame(merge_profiles(self.decode(value), update, self._keep))

    def wants_fold(self, value: bytes | memoryview) -> bool:
        """Whether the frames behind the first have grown."""
        if not value:
            return False
        first = _FRAME.size + _frame_length(value, 0)
        return len(value) - first > min(TAIL_BYTES, first * _TAIL_SHARE)

    def _frame(self, profile: Profile) -> bytes:
        both = [*profile.views, *profile.buys]
        times, identities, lines = zip(*both, strict=True) if both else ((), (), ())
        text = b"\n".join(lines)
        columns = (
            _COUNTS.pack(len(profile.views), len(profile.buys)),
            *_planes(struct.pack(f">{len(both)}q", *times), _TIME_BYTES),
            *_planes(b"".join(identities), IDENTITY_BYTES),
            text,
        )
        body = self._compressor.compress(b"".join(columns))
        return _FRAME.pack(_FORMAT, len(body)) + body

    def _events(self, body: bytes | memoryview) -> Profile:
        try:
            data: bytes = self._decompressor.decompress(body)
            views, buys = _COUNTS.unpack_from(data)
            count = views + buys
            first = _COUNTS.size + _TIME_BYTES * count
            last = first + IDENTITY_BYTES * count
            times = struct.unpack(f">{count}q", _rows(data[_COUNTS.size : first], _TIME_BYTES))
            identities = _rows(data[first:last], IDENTITY_BYTES)
        except (zstandard.ZstdError, struct.error, ValueError) as error:
            raise CorruptProfile(f"not a frame of events: {error}") from None
        text = data[last:]
        each = [identities[place : place + IDENTITY_BYTES] for place in range(0, len(identities), IDENTITY_BYTES)]
        events = list(map(_event, zip(times, each, text.split(b"\n") if count else [], strict=True)))
        return Profile(events[:views], events[views:])


def _planes(rows: bytes, width: int) -> list[bytes]:
    """Of rows of `width` bytes each all first bytes, then all second ones, and so on."""
    return [rows[place::width] for place in range(width)]


def _rows(planes: bytes, width: int) -> bytes:
    """The rows that `_planes` took apart."""
    count = len(planes) // width
    rows = bytearray(len(planes))
    for place in range(width):
        rows[place::width] = planes[place * count : (place + 1) * count]
    return bytes(rows)


def _frame_length(value: bytes | memoryview, start: int) -> int:
    try:
        form, length = _FRAME.unpack_from(value, start)
    except struct.error:
        raise CorruptProfile("cut off in a frame's header") from None
    if form != _FORMAT:
        raise CorruptProfile(f"frame of unknown format {form}")
    if start + _FRAME.size + length > len(value):
        raise CorruptProfile("cut off within a frame")
    return int(length)
