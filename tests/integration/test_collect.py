"""Collecting into a real broker: what is acknowledged is there, as records that readers take."""

import gzip
import time
from collections.abc import Iterator

import pytest
import zstandard

from contracts.codec import is_arrow
from contracts.settings import Settings
from contracts.tags import encode_tag
from tests.conftest import START_SECONDS, RealPart
from tests.integration.api_server import ApiServer
from tests.integration.tag_log import MARCH, NAME_VARIABLE, empty, post_tags, read_log, tag_line, tags_in, with_topic


@pytest.fixture(scope="module")
def served(settings: Settings, broker: RealPart) -> Settings:
    """The settings with the topic into which `api` writes."""
    return with_topic(settings)


@pytest.fixture(scope="module")
def api(served: Settings) -> Iterator[ApiServer]:
    """One for all tests that do it no harm."""
    server = ApiServer(served, **{NAME_VARIABLE: served.topics.user_tags.name})
    yield server
    server.stop()


@pytest.fixture
def log(served: Settings, api: ApiServer) -> Settings:
    """Of `served`, whose log holds nothing."""
    empty(served, served.topics.user_tags)
    return served


def test_tags_are_joined_to_records_and_stamped(log: Settings, api: ApiServer) -> None:
    before = int(time.time() * 1000)
    answers = post_tags(api, range(400))
    assert [(answer.status, answer.body) for answer in answers] == [(204, b"")] * 400
    records = read_log(log)
    assert len(records) < 400
    assert sorted(tag.product_info.product_id for tag in tags_in(records)) == list(range(400))
    for record in records:
        newest = max(int(tag.cookie.removeprefix("cookie")) for tag in tags_in([record]))
        assert record.event_time == MARCH + newest
        assert before <= record.ingested <= int(time.time() * 1000)


def test_what_is_odd_but_right_comes_through(log: Settings, api: ApiServer) -> None:
    product = {"product_id": "0", "brand_id": 'ż\n"', "category_id": "🐢", "price": -(2**31)}
    oldest = tag_line(1, time=0, cookie="ż", product_info=product, more=[1])
    soon = tag_line(2, time=int(time.time() * 1000) + 200_000)
    assert api.call("POST", "/user_tags", oldest).status == 204
    assert api.call("POST", "/user_tags", soon).status == 204
    found = {tag.cookie: tag for tag in tags_in(read_log(log))}
    assert found["ż"].time == 0
    assert found["ż"].product_info.product_id == "0"
    assert b"more" not in encode_tag(found["ż"])
    assert set(found) == {"ż", "cookie2"}


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_bulk_keeps_every_good_line(log: Settings, api: ApiServer, encoding: str) -> None:
    lines = [tag_line(number) for number in range(6000)]
    lines[7], lines[4000] = b'{"time":1}', tag_line(1, device="FRIDGE")
    lines[8] = tag_line(8, product_info={"product_id": 2**63 - 1, "brand_id": "b", "category_id": "c", "price": 1})
    body = b"\n".join(lines)
    packed = {"identity": body, "gzip": gzip.compress(body), "zstd": zstandard.compress(body)}[encoding]
    answer = api.call("POST", "/v1/user-tags", packed, {"Content-Encoding": encoding})
    assert answer.status == 202, answer.body
    assert (answer.json["accepted"], answer.json["rejected"]) == (5998, 2)
    assert [(error["line"], error["field"]) for error in answer.json["errors"]][1] == (4001, "device")
    records = read_log(log)
    written = [tag.product_info.product_id for tag in tags_in(records)]
    assert sorted(written) == sorted([*(set(range(6000)) - {7, 8, 4000}), 2**63 - 1])
    assert sum(is_arrow(record.value) for record in records) == log.topics.user_tags.partitions


def test_a_small_bulk_joins_the_batches(log: Settings, api: ApiServer) -> None:
    answer = api.call("POST", "/v1/user-tags", b"\n".join(map(tag_line, range(20))))
    assert answer.json == {"accepted": 20, "rejected": 0, "errors": []}
    records = read_log(log)
    assert not any(is_arrow(record.value) for record in records)
    assert len(tags_in(records)) == 20


def test_bulk_beyond_the_bounds(log: Settings, api: ApiServer) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    assert api.call("POST", "/v1/user-tags", bomb, {"Content-Encoding": "gzip"}).status == 413
    errors = api.call("POST", "/v1/user-tags", b"\n".join([b"x"] * 300 + [tag_line(1)])).json
    assert (errors["accepted"], errors["rejected"], len(errors["errors"])) == (1, 300, 100)


def test_quiet_partitions_of_a_live_topic_get_ticks(settings: Settings, broker: RealPart) -> None:
    topic = with_topic(settings)
    own = {NAME_VARIABLE: topic.topics.user_tags.name, "TIDEWATCH_TOPICS__USER_TAGS__LIVE": "true"}
    api = ApiServer(topic, **own)
    began = time.time() * 1000
    try:
        deadline = time.monotonic() + START_SECONDS
        records = read_log(topic)
        while {record.partition for record in records} != set(range(topic.topics.user_tags.partitions)):
            assert time.monotonic() < deadline, "no ticks"
            records = read_log(topic)
    finally:
        api.stop()
    assert tags_in(records) == []
    assert all(began - 60_000 < record.event_time < time.time() * 1000 + 60_000 for record in records)
