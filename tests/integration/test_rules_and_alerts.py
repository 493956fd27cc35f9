"""The topics `rules` and `alerts` on a real broker: applied and listed, followed and streamed, tried on the archive."""

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from analysis.watch.scored import ScoredBin
from cli import rule_topic
from cli.main import main
from contracts.alerts import Alert, alert_id, decode, encode
from contracts.rule_sets import parse, to_records
from contracts.series import Bin
from contracts.settings import Settings
from infra import topic_records
from infra import topics as kafka_topics
from jobs.score_rows import score_rows
from stores import clickhouse as store
from tests.conftest import START_SECONDS, RealPart
from tests.integration.api_server import ApiServer

MARCH = 1_646_092_800_000  # 2022-03-01T00:00:00Z
RULE = "- {name: %s, kind: threshold, select: {metric: user_tags_buys, label_names: []}, above: %d}"


def tidewatch(*arguments: str) -> str:
    answer = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def an_alert(number: int) -> Alert:
    return Alert(
        id=alert_id("r", {"n": str(number)}, MARCH),
        rule="r",
        kind="threshold",
        labels={"n": str(number)},
        severity="warning",
        status="firing",
        starts_at=MARCH + number,
        summary=f"number {number}",
    )


class Feed:
    """Writes alerts in transactions, as the job does."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.alerts.name
        self._producer = Producer({**settings.kafka_client, "transactional.id": f"test-{uuid.uuid4()}"})
        self._producer.init_transactions(START_SECONDS)

    def publish(self, *alerts: Alert, commit: bool = True) -> None:
        self._producer.begin_transaction()
        for alert in alerts:
            self._producer.produce(self._topic, encode(alert), alert.id)
        self._producer.flush(START_SECONDS)
        if commit:
            self._producer.commit_transaction(START_SECONDS)
        else:
            self._producer.abort_transaction(START_SECONDS)


@pytest.fixture
def own(settings: Settings, broker: RealPart, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Topics of the test's own for rules and alerts, also for commands and for the API."""
    given = settings.topics
    changed = {}
    for field in ("rules", "alerts"):
        name = f"{field}-{uuid.uuid4().hex[:8]}"
        monkeypatch.setenv(f"TIDEWATCH_TOPICS__{field.upper()}__NAME", name)
        changed[field] = getattr(given, field).model_copy(update={"name": name})
    found = settings.model_copy(update={"topics": given.model_copy(update=changed)})
    kafka_topics.ensure(found, START_SECONDS)
    return found


def test_rules_are_applied_listed_changed_and_removed(own: Settings, tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("rules:\n" + RULE % ("one", 5) + "\n" + RULE % ("two", 6))
    arguments = ("rules", "apply", str(file))
    assert tidewatch(*arguments, "--dry-run").splitlines() == ["+ rule/one", "+ rule/two"]
    assert tidewatch(*arguments).splitlines() == ["+ rule/one", "+ rule/two", "2 changes are in force"]
    assert tidewatch(*arguments).splitlines() == ["nothing changes"]
    file.write_text("monitor: [{metric: load}]\nrules:\n" + RULE % ("one", 7))
    assert tidewatch(*arguments).splitlines() == [
        "+ rule/monitor-load",
        "~ rule/one  above: 5.0 -> 7.0",
        "- rule/two",
        "3 changes are in force",
    ]
    listed = tidewatch("rules", "list").splitlines()
    assert [line.split()[0] for line in listed] == ["monitor-load", "one", "2"]
    assert listed[0].split()[1:] == ["anomaly", "warning", "load"]
    assert "user_tags_buys{labels: none}" in listed[1]


def test_a_file_that_is_wrong_changes_nothing(own: Settings, tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("rules: [{name: p, kind: pattern, pattern: there_is_none}]")
    answer = CliRunner().invoke(main, ["rules", "apply", str(file)])
    assert "no pattern 'there_is_none' in sql/patterns" in str(answer.exception)
    assert tidewatch("rules", "list") == "0 rules\n"


def test_rules_that_know_of_no_bins_get_those_that_they_judge(own: Settings) -> None:
    """An older release put them in force, or removed the records beside them; the platform looks when it starts."""
    rules = "rules: [{name: r, kind: threshold, select: {metric: load}, above: 1, bin: 10s}]"
    topic_records.write(own, own.topics.rules, to_records(parse(rules, "f")))
    rule_topic.ship(own)
    held = rule_topic.read(own)
    assert sorted(held) == ["bins/load", "rule/r"]
    rule_topic.ship(own)
    assert rule_topic.read(own) == held


@pytest.fixture
def api(own: Settings) -> Iterator[ApiServer]:
    server = ApiServer(own)
    yield server
    server.stop()


class Listener:
    """A client of the stream."""

    def __init__(self, api: ApiServer, last: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._connection.request("GET", "/api/v1/alerts/stream", headers={"Last-Event-ID": last} if last else {})
            self._answer = self._connection.getresponse()
            if self._answer.status == 200:
                break
            # Of those that left some may not have been let go yet.
            told = self._answer.read()
            assert self._answer.status == 503, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        assert self._answer.headers["Content-Type"] == "text/event-stream"

    def next(self) -> tuple[str, Alert]:
        """The next event's id and alert; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self._answer.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                return fields["id"], decode(fields["data"].encode())
            name, _, value = line.partition(": ")
            fields[name] = value

    def close(self) -> None:
        self._connection.close()


def test_the_stream_goes_on_behind_the_last_event(own: Settings, api: ApiServer) -> None:
    feed = Feed(own)
    feed.publish(an_alert(0))
    listener = Listener(api)  # from now on: the one before is not for it
    feed.publish(an_alert(1), commit=False)
    feed.publish(an_alert(2), an_alert(3))
    first, alert = listener.next()
    assert alert == an_alert(2)
    listener.close()
    feed.publish(an_alert(4))
    again = Listener(api, first)
    assert [again.next()[1] for _ in range(2)] == [an_alert(3), an_alert(4)]
    again.close()


def test_many_clients_may_listen_and_leave(own: Settings, api: ApiServer) -> None:
    """More, one after the other, than may listen at once: each that leaves makes room."""
    feed = Feed(own)
    for _ in range(3):
        listeners = [Listener(api) for _ in range(12)]
        feed.publish(an_alert(7))
        with ThreadPoolExecutor(12) as pool:
            assert [alert for _, alert in pool.map(Listener.next, listeners)] == [an_alert(7)] * 12
        for listener in listeners:
            listener.close()


def test_the_feed_is_followed_by_the_command(own: Settings) -> None:
    Feed(own).publish(an_alert(1), msgspec.structs.replace(an_alert(1), status="resolved", ends_at=MARCH + 60_000))
    from cli.alert_feed import lines

    shown = lines(own, everything=True, as_json=False)
    assert [next(shown), next(shown)] == [
        "2022-03-01T00:00:00Z firing   warning   r: number 1",
        "2022-03-01T00:01:00Z resolved warning   r: number 1",
    ]
    assert json.loads(next(lines(own, everything=True, as_json=True)))["labels"] == {"n": "1"}


def test_rules_are_tried_on_the_archive(own: Settings, clickhouse: RealPart, tmp_path: Path) -> None:
    """Five buys a minute, twelve in one of them; the total alone is judged."""
    begin = 1_700_006_400_000  # a time of the test's own
    names = ["time", "cookie", "country", "device", "action", "origin", "brand_id", "category_id", "price"]
    names += ["topic_id", "partition", "offset", "line", "ingested"]
    rows = []
    for minute in range(10):
        for number in range(12 if minute == 4 else 5):
            time = datetime.fromtimestamp((begin + minute * 60_000) / 1000, timezone.utc)
            place = [str(uuid.UUID(int=7)), 0, minute * 100 + number, 0]
            rows.append([time, "c", "PL", "PC", "BUY", "o", "b", "k", 3, *place, datetime.now(timezone.utc)])
    bins = [
        ScoredBin(
            Bin("user_tags_buys", {"country": "PL"}, 60_000, begin + minute * 60_000, value, value, value),
            score=score,
            expected=5,
        )
        for minute, value, score in [(3, 5, 1.0), (4, 12, 7.0), (5, 5, 1.0)]
    ]
    with store.connect(own) as client:
        client.insert("user_tags", rows, column_names=names)
        client.insert_arrow("scored_bins", score_rows(bins, int(datetime.now(timezone.utc).timestamp() * 1000)))
    file = tmp_path / "mine.yml"
    odd = "\n- {name: odd, kind: anomaly, select: {metric: user_tags_buys, match: [country=PL]}, keep_firing_for: 0s, "
    odd += "summary: '{value} in place of {expected}'}"
    file.write_text("rules:\n" + RULE % ("many", 10) + odd + "\n- {name: eyes, kind: blind}")
    told = tidewatch(
        "rules", "replay", str(file), "--from", "2023-11-15T00:00:00Z", "--to", "2023-11-15T00:10:00Z"
    ).splitlines()
    assert told == [
        "eyes: nothing is kept by which its kind could be judged; left out",
        "2023-11-15T00:04:00Z firing   warning   many: 12 is above 10; metric=user_tags_buys",
        "2023-11-15T00:04:00Z firing   warning   odd: 12 in place of 5",
        "2023-11-15T00:05:00Z resolved warning   many: 5 is above 10; metric=user_tags_buys",
        "2023-11-15T00:05:00Z resolved warning   odd: 5 in place of 5",
        "2 alerts would have fired",
    ]
