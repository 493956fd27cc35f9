"""Dead letters: what they hold, and `tidewatch replay`."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from cli import letters as dead
from cli import replay
from contracts import dead_letters
from contracts.codec import Record, Reject, decode, encode_arrow
from contracts.events import events_of
from contracts.point_codec import decode_points, encode_points_arrow
from contracts.points import Point, decode_point, encode_point, series_of
from contracts.settings import Settings
from contracts.tags import decode_tag, encode_tag, event_time
from testbed.generator import Traffic
from tests.conftest import START_SECONDS, RealPart
from tests.integration.api_server import ApiServer

TAG = Traffic(9).tag(5)
BROKEN = encode_tag(TAG).replace(b'"PC"', b'"FRIDGE"').replace(b'"MOBILE"', b'"FRIDGE"').replace(b'"TV"', b'"FRIDGE"')


@pytest.fixture
def letters(settings: Settings, topics: dict[str, str], clickhouse: RealPart) -> Iterator[list[bytes]]:
    """Three dead letters: a broken tag, bytes that are no text, and a good tag."""
    data = [BROKEN, b"\xfe\xff", encode_tag(TAG)]
    producer = Producer(settings.kafka_client)
    for offset, held in enumerate(data):
        letter = dead_letters.letter("user-tags", uuid4(), 0, Reject(offset, 0, "device", f"reason {offset}", held))
        producer.produce(settings.topics.dead_letters.name, dead_letters.encode(letter).encode(), letter.id)
    assert producer.flush(START_SECONDS) == 0
    yield data


def test_a_letter_of_a_whole_record_is_not_taken_for_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its events go as lines once they can be read; until then it stays one piece."""
    whole = encode_arrow(events_of([TAG, TAG], [event_time(TAG)] * 2))
    made = [
        dead_letters.letter("user-tags", uuid4(), 1, Reject(7, -1, "", "not yet", data))
        for data in (whole, b"\xff\xff\xff\xff a\nb")
    ]
    assert dead.lines_of(made[0], dead.TAGS) == [encode_tag(TAG)] * 2
    assert dead.lines_of(made[1], dead.TAGS) == []
    assert "not an Arrow stream of events" in capsys.readouterr().out
    line = dead_letters.letter("user-tags", uuid4(), 0, Reject(8, 3, "", "bad", b"{"))
    dead.save(tmp_path / "letters.ndjson", [made[1], line])
    assert (tmp_path / "letters.ndjson").read_bytes() == b"{\n"
    assert (tmp_path / "letters-1-7.arrow").read_bytes() == made[1].original()


def test_a_bad_row_of_an_arrow_record_can_be_mended_like_a_line() -> None:
    """Its letter holds what a client would have sent, and says which field is wrong."""
    bad = msgspec.structs.replace(TAG, device="FRIDGE")
    now = event_time(TAG)
    ((_, line, field, reason, data),) = decode(
        [Record(3, now, now, encode_arrow(events_of([TAG, bad], [now] * 2)))]
    ).rejects
    assert (line, field) == (1, "device")
    assert "FRIDGE" in reason
    assert decode_tag(data.replace(b"FRIDGE", TAG.device.encode())) == TAG


def test_letters_of_points_go_where_points_go(settings: Settings) -> None:
    point = Point(series_of("cpu", "gauge", {"host": "a"}), event_time(TAG), 7.5)
    now = event_time(TAG)
    record = encode_points_arrow([point, point._replace(value=float("nan"))])
    ((*_, data),) = decode_points([Record(3, now, now, record)]).rejects
    assert decode_point(data.replace(b'"nan"', b"7.5"), now) == point
    topic = settings.topics.points.name
    whole = dead_letters.letter(topic, uuid4(), 1, Reject(7, -1, "", "not yet", encode_points_arrow([point])))
    assert dead.route(settings, whole) == dead.POINTS
    assert dead.lines_of(whole, dead.POINTS) == [encode_point(point)]
    other = dead_letters.letter("gone", uuid4(), 1, Reject(7, 0, "", "not yet", b"{"))
    assert dead.route(settings, other) is None


def replayed(*arguments: str) -> str:
    result = CliRunner().invoke(replay.command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_replay_lists_and_saves_letters(letters: list[bytes], tmp_path: Path) -> None:
    listed = replayed()
    for number, data in enumerate(letters):
        assert f"device: reason {number}: {data[:80]!r}" in listed
    path = tmp_path / "letters.ndjson"
    replayed("--save", str(path))
    saved = path.read_bytes()
    assert all(data + b"\n" in saved for data in letters)
    replayed("--reason", "reason 0", "--save", str(path))
    assert letters[0] + b"\n" in path.read_bytes()
    assert letters[1] not in path.read_bytes()


def test_replay_sends_letters_once(
    settings: Settings, letters: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the API took is not offered again: a choice by reason, and what is still wrong, hide no other."""
    api = ApiServer(settings)
    monkeypatch.setenv("TIDEWATCH_API__PORT", str(api.port))
    try:
        before = replayed()
        assert replayed("--send", "--reason", "no letter's reason") == "nothing to send\n"
        assert replayed() == before
        assert "still wrong" in replayed("--send", "--reason", "reason 0")
        assert replayed() == before
        assert re.search(r"[1-9]\d* accepted, 0 still wrong", replayed("--send", "--reason", "reason 2"))
        assert replayed().count("reason 2") == 0
        assert replayed().count("reason 0") == before.count("reason 0")
        assert replayed("--all").count("reason 2") == before.count("reason 2")
        mended = tmp_path / "mended.ndjson"
        mended.write_bytes(BROKEN.replace(b"FRIDGE", b"PC") + b"\n")
        assert "1 accepted, 0 still wrong" in replayed("--load", str(mended))
    finally:
        api.stop()
