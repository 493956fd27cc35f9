"""One contract for every profile store, run over each with the real thing; then what is particular to one."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import redis
from pydantic import SecretStr

from analysis.profiles import EMPTY, Profile, ProfileEvent, ProfileUpdate, identity, merge_profiles
from contracts.settings import Kafka, Profiles, Settings
from stores.profiles import ProfileStore, ProfilesUnavailable, open_store
from stores.profiles_lmdb import LmdbProfiles
from tests.conftest import CHECKOUT
from tests.integration.redis_server import DEADLINE, RedisServer, wait_for
from tests.unit.asgi_calls import Answer, Caller, with_app

TOPIC = UUID("12345678-0000-4000-8000-000000000000")
KEEP = 200
COOKIES = [f"cookie{number}" for number in range(7)]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(params=["lmdb", "redis"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty store of each kind."""
    if request.param == "lmdb":
        return Settings(state_dir=tmp_path, profiles=Profiles(keep=KEEP))
    server: RedisServer = request.getfixturevalue("redis_server")
    with redis.Redis(port=server.port) as client:
        client.flushall()
    url = SecretStr(f"redis://127.0.0.1:{server.port}/0")
    return Settings(profiles=Profiles(kind="redis", redis_url=url, keep=KEEP))


@pytest.fixture
def store(store_settings: Settings) -> Iterator[ProfileStore]:
    opened = open_store(store_settings, writable=True)
    yield opened
    opened.close()


def event_at(offset: int) -> ProfileEvent:
    """What stands at an offset of the log; times go up and down."""
    line = b'{"time":"2022-03-01T00:00:00.649Z","offset":%d,"cookie":"%d"}' % (offset, offset % 7)
    return ProfileEvent(1_646_092_800_000 + offset * 7919 % 5000, identity(TOPIC, 1, offset, 0), line)


def updates_at(offsets: range) -> dict[str, ProfileUpdate]:
    """The events at these offsets by cookie: one in five is a buy."""
    updates = {cookie: ProfileUpdate([], []) for cookie in COOKIES}
    for offset in offsets:
        update = updates[COOKIES[offset % 7]]
        (update.buys if offset % 5 == 0 else update.views).append(event_at(offset))
    return updates


def expected(cookie: str, offsets: range) -> Profile:
    return merge_profiles(EMPTY, updates_at(offsets)[cookie], KEEP)


def assert_holds(store: ProfileStore, offsets: range) -> None:
    for cookie in COOKIES:
        assert store.read(cookie) == expected(cookie, offsets)


class TestContract:
    def test_an_unknown_cookie_is_empty(self, store: ProfileStore) -> None:
        assert store.read("nobody") == EMPTY
        store.check()

    def test_what_was_added_is_read_newest_first_and_cut(self, store: ProfileStore) -> None:
        for start in range(0, 3000, 100):
            store.update(updates_at(range(start, start + 100)))
        assert_holds(store, range(3000))
        assert max(len(store.read(cookie).views) for cookie in COOKIES) == KEEP

    def test_replays_and_disorder_change_nothing(self, store: ProfileStore) -> None:
        chunks = [range(start, start + 50) for start in range(0, 1000, 50)]
        for chunk in [*chunks[::-1], *chunks[3:9], *chunks]:
            store.update(updates_at(chunk))
        assert_holds(store, range(1000))

    @pytest.mark.parametrize("cookie", ["", "ż" * 256, "a/b c\n\0", "🐢" * 256, "check"])
    def test_any_text_is_a_cookie(self, store: ProfileStore, cookie: str) -> None:
        update = ProfileUpdate([event_at(1)], [])
        store.update({cookie: update})
        assert store.read(cookie) == Profile([event_at(1)], [])
        assert store.read(cookie + "x") == EMPTY

    def test_nothing_to_add(self, store: ProfileStore) -> None:
        store.update({})
        store.update({"c": ProfileUpdate([], [])})
        assert store.read("c") == EMPTY

    def test_two_processes_write_the_same_cookies(self, store_settings: Settings) -> None:
        """One of them is a zombie that writes what the other has written already."""
        writers = [start_writer(store_settings, *span) for span in ((0, 2000), (1000, 3000))]
        for writer in writers:
            assert writer.wait(DEADLINE) == 0
        reader = open_store(store_settings, writable=False)
        assert_holds(reader, range(3000))
        reader.close()

    def test_a_writer_killed_in_the_middle_leaves_a_store_to_go_on_with(self, store_settings: Settings) -> None:
        for _ in range(3):
            writer = start_writer(store_settings, 0, 100_000)
            reader = open_store(store_settings, writable=False)
            wait_for(lambda reader=reader: readable(reader))  # type: ignore[misc]  # bound now, as loops demand
            writer.kill()
            writer.wait()
            reader.close()
        again = open_store(store_settings, writable=True)
        profiles = [again.read(cookie) for cookie in COOKIES]
        newest = max(event.identity for profile in profiles for event in [*profile.views, *profile.buys])
        written = range(int.from_bytes(newest[6:14], "big") + 1)
        again.update(updates_at(written))
        assert_holds(again, written)
        again.close()

    def test_threads_share_a_store(self, store: ProfileStore) -> None:
        spans = [range(start, start + 500) for start in range(0, 2000, 500)]
        threads = [threading.Thread(target=write_span, args=(store, span)) for span in spans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert_holds(store, range(2000))


def readable(store: ProfileStore) -> bool:
    try:
        return store.read(COOKIES[1]) != EMPTY
    except ProfilesUnavailable:
        return False


def write_span(store: ProfileStore, offsets: range) -> None:
    """In small steps, so that writers meet."""
    for start in range(offsets.start, offsets.stop, 10):
        store.update(updates_at(range(start, min(start + 10, offsets.stop))))
        store.read(COOKIES[0])


def start_writer(settings: Settings, begin: int, end: int) -> "subprocess.Popen[bytes]":
    """Another process that writes the events of these offsets."""
    profiles = settings.profiles
    url = profiles.redis_url.get_secret_value()
    arguments = [profiles.kind, str(settings.profiles_path), url, str(begin), str(end)]
    return subprocess.Popen([sys.executable, "-m", __name__, *arguments], cwd=CHECKOUT)  # noqa: S603  # this file


def main(kind: str, path: str, url: str, begin: str, end: str) -> None:
    """What `start_writer` runs."""
    profiles = Profiles.model_validate({"kind": kind, "path": path, "redis_url": url, "keep": KEEP})
    store = open_store(Settings(profiles=profiles), writable=True)
    write_span(store, range(int(begin), int(end)))
    store.close()


class TestLmdb:
    def open(self, path: Path, **settings: object) -> LmdbProfiles:
        return LmdbProfiles(path, Profiles.model_validate({"keep": KEEP, **settings}), writable=False)

    def write(self, path: Path, begin: int, end: int) -> None:
        settings = Settings(profiles=Profiles(path=str(path), keep=KEEP))
        assert start_writer(settings, begin, end).wait(DEADLINE) == 0

    def test_a_missing_store_is_not_an_empty_one(self, tmp_path: Path) -> None:
        reader = self.open(tmp_path / "profiles")
        for _ in range(2):
            with pytest.raises(ProfilesUnavailable, match="profiles"):
                reader.read("c")
        self.write(tmp_path / "profiles", 0, 10)
        assert reader.read(COOKIES[1]) != EMPTY
        reader.close()

    def test_a_reader_follows_a_store_that_is_replaced(self, tmp_path: Path) -> None:
        old, new = tmp_path / "profiles", tmp_path / "rebuilt"
        self.write(old, 0, 100)
        self.write(new, 0, 200)
        reader = self.open(old)
        assert reader.read(COOKIES[0]) == expected(COOKIES[0], range(100))
        old.rename(tmp_path / "aside")
        with pytest.raises(ProfilesUnavailable):
            reader.read(COOKIES[0])
        new.rename(old)
        assert reader.read(COOKIES[0]) == expected(COOKIES[0], range(200))
        reader.close()

    def test_a_reader_with_a_smaller_map_follows_a_store_that_grew(self, tmp_path: Path) -> None:
        path, small = tmp_path / "profiles", 2**17
        self.write(path, 0, 70)
        reader = self.open(path, map_size_gb=small / 2**30)
        assert reader.read(COOKIES[0]) == expected(COOKIES[0], range(70))
        self.write(path, 0, 4000)
        assert (path / "data.mdb").stat().st_size > small
        assert reader.read(COOKIES[0]) == expected(COOKIES[0], range(4000))
        reader.close()

    def test_a_strange_file_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "data.mdb").write_bytes(b"not LMDB" * 10_000)
        reader = self.open(tmp_path)
        with pytest.raises(ProfilesUnavailable):
            reader.check()


class TestRedis:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[RedisServer]:
        server = RedisServer(tmp_path)
        yield server
        server.stop()

    def test_a_server_that_is_away_is_unavailable_until_it_is_back(self, server: RedisServer) -> None:
        url = SecretStr(f"redis://127.0.0.1:{server.port}/0")
        store = open_store(Settings(profiles=Profiles(kind="redis", redis_url=url)), writable=True)
        store.update(updates_at(range(100)))
        server.stop()
        started = time.monotonic()
        for attempt in (lambda: store.read("c"), store.check, lambda: store.update(updates_at(range(10)))):
            with pytest.raises(ProfilesUnavailable):
                attempt()
        assert time.monotonic() - started < 20  # 6 where nothing else is to do: each waits for two seconds at most
        server.start()
        store.update(updates_at(range(200)))
        assert_holds(store, range(200))
        store.close()

    def test_the_api_answers_from_it(self, redis_server: RedisServer) -> None:
        url = SecretStr(f"redis://127.0.0.1:{redis_server.port}/0")
        nowhere = Kafka(bootstrap_servers="127.0.0.1:1")
        settings = Settings(kafka=nowhere, profiles=Profiles(kind="redis", redis_url=url))
        store = open_store(settings, writable=True)
        store.update({"ż": ProfileUpdate([event_at(1)], [])})
        store.close()

        async def calls(call: Caller) -> tuple[Answer, Answer]:
            return await call("GET", "/user_profiles/%C5%BC"), await call("GET", "/readyz")

        profile, readiness = with_app(settings, calls)
        assert profile.json["views"] == [json.loads(event_at(1).json)]
        assert readiness.json["links"]["profiles"] is None

    def test_values_stay_small_however_often_events_come_again(self, redis_server: RedisServer) -> None:
        url = SecretStr(f"redis://127.0.0.1:{redis_server.port}/0")
        store = open_store(Settings(profiles=Profiles(kind="redis", redis_url=url)), writable=True)
        with redis.Redis(port=redis_server.port) as client:
            client.flushall()
            for _ in range(300):
                store.update({"c": updates_at(range(100))[COOKIES[1]]})
            lengths = [client.strlen(key) for key in client.scan_iter()]
        assert max(lengths) < 4096
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
