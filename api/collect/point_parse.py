"""Points out of bodies of lines, and what points become before they are sent. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from api.collect.bulk_parse import chunks
from api.collect.prepared import SMALL_LINES, Bounds, Line, LineError, Prepared
from api.collect.producer import OutRecord
from api.collect.series_cap import SeriesCap
from api.problems import Problem, invalid
from contracts import lines, point_lines
from contracts.point_codec import encode_points_arrow
from contracts.points import InvalidPoint, Point, encode_point, judge_time, series_of
from contracts.times import FUTURE_MS


class Numbered(NamedTuple):
    """A point and where in the body it stands, from 1."""

    number: int
    point: Point


Found = Iterable[Numbered | LineError]
Read = Callable[[bytes, int], Found]  # a body at the clock `now`, epoch milliseconds


def read_points(body: bytes, now: int) -> Iterator[Numbered | LineError]:
    """Points as NDJSON; blank lines count for nothing."""
    line = 1
    for chunk in chunks(body):
        found = point_lines.read(chunk, now)
        yield from (Numbered(line + at, point) for at, point in zip(found.numbers, found.points, strict=True))
        yield from (LineError(line + bad.number, bad.field, bad.reason) for bad in found.bad)
        line += lines.count(chunk)


_BLANKS: Final = re.compile(r"[\t, ]+")
_TIME_OF_DAY: Final = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(\.\d{1,3})?")
_DAY_MS: Final = 86_400_000
_HEADER: Final = ("timestamp", "build_version", "error_code")


def read_errors(body: bytes, now: int) -> Iterator[Numbered | LineError]:
    """Lines `Timestamp Build_Version Error_Code`, apart by tabs, commas or blanks, as points of the counter `errors`.

    A heading with these words is passed over. A time without a zone is UTC; one of day alone is the latest that was.
    """
    for number, line in enumerate(body.split(b"\n"), 1):
        fields = _BLANKS.split(line.decode("utf-8", "replace").strip())
        if fields == [""] or tuple(field.lower() for field in fields) == _HEADER:
            continue
        try:
            yield Numbered(number, _error_point(fields, now))
        except InvalidPoint as error:
            yield LineError(number, error.field, error.reason)


def _error_point(fields: list[str], now: int) -> Point:
    if len(fields) == 4:  # a date and a time apart by a blank
        fields = [f"{fields[0]}T{fields[1]}", *fields[2:]]
    if len(fields) != 3:
        raise InvalidPoint("", "a line holds time, build and error code, apart by tabs, commas or blanks")
    time, build, code = fields
    return Point(series_of("errors", "counter", {"build": build, "code": code}), _error_time(time, now), 1.0)


def _error_time(text: str, now: int) -> int:
    of_day = _TIME_OF_DAY.fullmatch(text)
    if of_day is None:
        has_zone = text[-1:] in "zZ" or text[-6:-5] in ("+", "-")
        return judge_time(text if has_zone else f"{text}Z", now)
    hours, minutes, seconds = (int(part) for part in of_day.groups()[:3])
    time = (hours * 60 + minutes) * 60_000 + seconds * 1000 + int(float(of_day[4] or 0) * 1000)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise InvalidPoint("time", f"no time of day: {text}")
    today = now // _DAY_MS * _DAY_MS + time
    return today if today <= now + FUTURE_MS else today - _DAY_MS


class PointPreparer:
    """Makes a `prepare` of what reads points out of a body; refuses what is beyond the cap on series."""

    def __init__(self, series_a_metric: int) -> None:
        self._cap = SeriesCap(series_a_metric)

    def of(self, read: Read) -> Callable[[bytes, int, Bounds], Prepared]:
        """For bodies that `read` reads."""
        return lambda body, now, bounds: self.prepare(read(body, now), now, bounds)

    def prepare(self, found: Found, now: int, bounds: Bounds) -> Prepared:
        """The few as lines, the many as records."""
        good, errors = self._sort_out(found, now)
        if bounds.once and good:
            return Prepared(len(good), [], [keyed_record(good, now, bounds)], errors)
        if len(good) <= SMALL_LINES:
            as_lines = [Line(point.series.shard, encode_point(point), point.time) for point in good]
            return Prepared(len(good), as_lines, [], errors)
        return Prepared(len(good), [], point_records(good, now, bounds), errors)

    def check(self, points: Iterable[Point], now: int) -> None:
        """Problem 400 when one of them is beyond the cap."""
        try:
            for point in points:
                self._cap.admit(point.series, now)
        except InvalidPoint as error:
            raise invalid(error.field, error.reason) from None

    def _sort_out(self, found: Found, now: int) -> tuple[list[Point], list[LineError]]:
        good: list[Point] = []
        errors: list[LineError] = []
        for one in found:
            if isinstance(one, LineError):
                errors.append(one)
                continue
            try:
                self._cap.admit(one.point.series, now)
            except InvalidPoint as error:
                errors.append(LineError(one.number, error.field, error.reason))
            else:
                good.append(one.point)
        return good, sorted(errors)


def point_records(points: Sequence[Point], now: int, bounds: Bounds) -> list[OutRecord]:
    """Arrow records within the bounds, each of one partition, the order kept in each."""
    lanes: list[list[Point]] = [[] for _ in range(bounds.partitions)]
    for point in points:
        lanes[point.series.shard % bounds.partitions].append(point)
    return [
        record
        for partition, lane in enumerate(lanes)
        for start in range(0, len(lane), bounds.rows)
        for record in _encode(lane[start : start + bounds.rows], partition, now, bounds)
    ]


def keyed_record(points: Sequence[Point], now: int, bounds: Bounds) -> OutRecord:
    """All points in one record, to the partition of the key; Problem 413 when that is too large for one."""
    value = encode_points_arrow(points)
    if len(value) > bounds.record_bytes:
        longest = f"one record of {bounds.record_bytes} bytes at most"
        reason = f"with an Idempotency-Key a body becomes {longest}: send less at once"
        raise Problem(413, "body-too-large", reason)
    partition = crc32(bounds.once.encode()) % bounds.partitions
    newest = max(point.time for point in points)
    return OutRecord(partition, value, min(newest, now), now, len(points), bounds.once)


def _encode(lane: Sequence[Point], partition: int, now: int, bounds: Bounds) -> Iterator[OutRecord]:
    value = encode_points_arrow(lane)
    if len(value) <= bounds.record_bytes or len(lane) == 1:
        newest = max(point.time for point in lane)
        yield OutRecord(partition, value, min(newest, now), now, len(lane))
        return
    middle = len(lane) // 2
    yield from _encode(lane[:middle], partition, now, bounds)
    yield from _encode(lane[middle:], partition, now, bounds)
