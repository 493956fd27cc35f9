"""The collector's pure pieces: lanes, breaker, bulk bodies."""

import gzip
import hashlib
import json

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from api.collect.breaker import Breaker
from api.collect.bulk import summary
from api.collect.bulk_parse import fits_arrow, parse, records
from api.collect.decompress import check_encoding, decompress
from api.collect.lane import Batch, partition_of
from api.collect.prepared import LineError, Prepared
from api.collect.producer import OutRecord
from api.problems import Problem
from contracts.codec import Record, decode
from contracts.events import tags_of
from contracts.tags import ProductInfo, UserTag, encode_tag, event_time

NOW = 1_700_000_000_000


def tag_of(number: int, **fields: object) -> UserTag:
    product = ProductInfo(number, f"brand{number % 3}", "hats", number % 2**31)
    tag = UserTag("2022-03-01T00:00:00.649Z", f"cookie{number}", "PL", "PC", "BUY", "CAMPAIGN_1", product)
    return msgspec.structs.replace(tag, **fields)


class TestBreaker:
    def test_opens_on_the_oldest_unacknowledged_record(self) -> None:
        breaker = Breaker(1.0)
        breaker.sent(1, 10.0)
        breaker.sent(2, 10.9)
        assert not breaker.is_open(11.0)
        assert breaker.is_open(11.1)

    def test_an_acknowledgement_closes_it_unless_an_old_record_still_waits(self) -> None:
        breaker = Breaker(1.0)
        breaker.sent(1, 10.0)
        breaker.sent(2, 10.0)
        assert breaker.is_open(11.5)
        breaker.settled(1, acknowledged=True, now=11.6)
        assert breaker.is_open(11.6)
        breaker.settled(2, acknowledged=True, now=11.7)
        assert not breaker.is_open(11.7)

    def test_giving_up_keeps_it_open_until_the_broker_answers(self) -> None:
        breaker = Breaker(1.0)
        breaker.sent(1, 10.0)
        assert breaker.is_open(12.0)
        breaker.settled(1, acknowledged=False, now=20.0)
        assert breaker.is_open(20.0)
        breaker.answered(21.0)
        assert not breaker.is_open(21.0)


def test_partitions_do_not_depend_on_the_process() -> None:
    assert [partition_of(cookie, 4) for cookie in ("", "a", "żółw", "9WkYGxkiXBfpMIjBGURC")] == [0, 3, 2, 0]


def test_a_batch_is_stamped_with_its_newest_event_but_never_ahead_of_the_clock() -> None:
    batch = Batch()
    for time, now in ((5, 100), (9, 101), (7, 99)):
        batch.add(b"{}", time, now, None)  # type: ignore[arg-type]  # who waits is of no interest here
    assert batch.record(3) == OutRecord(3, b"{}\n{}\n{}\n", 9, 101, 3)
    batch.add(b"{}", 400, 102, None)  # type: ignore[arg-type]  # as above
    assert batch.record(3).event_time == 102


class TestDecompress:
    @pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
    def test_up_to_the_limit(self, encoding: str) -> None:
        packed = pack(bytes(100_000), encoding)
        assert decompress(packed, encoding, 100_000) == bytes(100_000)

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    def test_beyond_it_is_413(self, encoding: str) -> None:
        with pytest.raises(Problem) as raised:
            decompress(pack(bytes(100_001), encoding), encoding, 100_000)
        assert raised.value.status == 413

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    def test_several_frames_are_one_body(self, encoding: str) -> None:
        assert decompress(pack(b"ab", encoding) + pack(b"cd", encoding), encoding, 100) == b"abcd"

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    def test_a_body_cut_off_is_not_taken_for_a_whole_one(self, encoding: str) -> None:
        noise = hashlib.shake_128(b"noise").digest(5000)
        with pytest.raises(Problem) as raised:
            decompress(pack(noise, encoding)[:-100], encoding, 100_000)
        assert raised.value.status == 400

    def test_names_are_taken_in_any_case(self) -> None:
        assert check_encoding("") == "identity"
        assert check_encoding(" GZip ") == "gzip"
        with pytest.raises(Problem):
            check_encoding("deflate, gzip")


def pack(data: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(data)
    return zstandard.ZstdCompressor().compress(data) if encoding == "zstd" else data


class TestParse:
    def test_every_good_line_is_kept_and_every_bad_one_named(self) -> None:
        good = [encode_tag(tag_of(number)) for number in range(4)]
        future = encode_tag(tag_of(9, time=NOW + 300_001))
        body = b"\n".join([good[0], b"", b"{}", good[1], b"\xff", good[2] + b"\r", future, b"  ", good[3]])
        parsed = parse(body, NOW)
        assert list(map(encode_tag, parsed.good.tags)) == good
        assert [error.line for error in parsed.errors] == [3, 5, 7]
        assert parsed.errors[2].field == "time"

    def test_line_numbers_go_on_over_chunks(self) -> None:
        line = encode_tag(tag_of(1, origin="x" * 200))
        body = b"\n".join([line] * 5000 + [b"{"] + [line] * 10)
        parsed = parse(body, NOW)
        assert len(parsed.good) == 5010
        assert [error.line for error in parsed.errors] == [5001]

    def test_a_line_longer_than_a_chunk(self) -> None:
        line = json.dumps({**json.loads(encode_tag(tag_of(1))), "more": "x" * 600_000}).encode()
        parsed = parse(line + b"\n" + line, NOW)
        assert (len(parsed.good), parsed.errors) == (2, [])

    @given(st.binary(max_size=200))
    def test_any_bytes_are_taken(self, body: bytes) -> None:
        parsed = parse(body, NOW)
        assert len(parsed.good) == 0
        assert len(parsed.errors) == sum(bool(line.strip()) for line in body.split(b"\n"))


# No deadline: the first use of pyarrow takes a second.
@settings(deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=80), st.integers(1, 7), st.sampled_from([1, 3000, 10**6]))
def test_records_hold_all_events_in_order_and_within_bounds(numbers: list[int], rows: int, limit: int) -> None:
    tags = [tag_of(number) for number in numbers]
    good = parse(b"\n".join(map(encode_tag, tags)), NOW).good
    made = records(good, partitions=3, rows=rows, limit=limit, now=NOW)
    for partition in range(3):
        mine = [record for record in made if record.partition == partition]
        read = decode(Record(offset, record.event_time, NOW, record.value) for offset, record in enumerate(mine))
        assert read.rejects == []
        assert tags_of(read.events) == [tag for tag in tags if partition_of(tag.cookie, 3) == partition]
    for record in made:
        assert 1 <= record.rows <= rows
        assert len(record.value) <= limit or record.rows == 1
        assert record.event_time == event_time(tags[0])


def test_numbers_that_arrow_readers_refuse_stay_json() -> None:
    assert fits_arrow(tag_of(0, product_info=ProductInfo(10**18 - 1, "a", "b", 1)))
    assert fits_arrow(tag_of(0, product_info=ProductInfo(str(10**18), "a", "b", 1)))
    assert not fits_arrow(tag_of(0, product_info=ProductInfo(10**18, "a", "b", 1)))
    assert not fits_arrow(tag_of(0, product_info=ProductInfo(-(2**63), "a", "b", 1)))


def test_of_a_body_with_nothing_good_each_error_is_told() -> None:
    errors = [LineError(1, "device", "no such device"), LineError(2, "", "no JSON")]
    with pytest.raises(Problem) as raised:
        summary(Prepared(0, [], [], errors))
    document = json.loads(raised.value.json())
    assert document["errors"] == [error._asdict() for error in errors]
    assert (document["status"], document["field"]) == (400, "device")
