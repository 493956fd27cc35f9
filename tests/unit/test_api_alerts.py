"""What the API tells of alerts and takes for them, over a real store and with nothing else around."""

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.problems import Problem
from api.routes.alertmanager import Posted, alert_of
from contracts.settings import Kafka, Settings
from stores import alert_silences
from stores.alert_silences import Shift
from stores.alerts import open_store
from tests.unit.alerting import HOUR, MINUTE, Desk, firing, resolved
from tests.unit.asgi_calls import Answer, Caller, with_app

NOWHERE = Kafka(bootstrap_servers="127.0.0.1:1")
NOW = 1_900_000_000_000  # later than the tests' clock: what the API is asked happens by the real one


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path, kafka=NOWHERE)


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    desk = Desk(open_store(settings))
    yield desk
    desk.store.close()


def ask(settings: Settings, *calls: tuple[str, str, Any]) -> list[Answer]:
    async def run(call: Caller) -> list[Answer]:
        return [
            await call(method, target, json.dumps(body).encode() if body else b"") for method, target, body in calls
        ]

    chosen: Callable[[Caller], Awaitable[list[Answer]]] = run
    return with_app(settings, chosen)


def get(settings: Settings, target: str) -> Answer:
    return ask(settings, ("GET", target, None))[0]


def test_alerts_are_listed_and_shown(settings: Settings, desk: Desk) -> None:
    one, two = firing(shop="a"), firing("slow", severity="critical")
    desk.hears(one)
    desk.now += MINUTE
    desk.hears(two, resolved(two))
    document = get(settings, "/api/v1/alerts").json
    assert [alert["rule"] for alert in document["alerts"]] == ["slow", "errors"]
    assert get(settings, "/api/v1/alerts?status=firing&severity=warning&rule=errors").json["alerts"][0]["id"] == one.id
    last = document["alerts"][0]
    assert get(settings, f"/api/v1/alerts?opened_before={last['opened_ms']}&limit=5").json["alerts"][0]["id"] == one.id
    shown = get(settings, f"/api/v1/alerts/{two.id}").json
    assert (shown["status"], shown["starts_at"], shown["ends_at"]) == (
        "resolved",
        "2026-01-05T08:00:00.000Z",
        "2026-01-05T08:10:00.000Z",
    )
    assert (shown["acknowledged"], shown["flapping"], shown["labels"]) == (None, False, {})


def test_history_shows_each_notification_with_its_attempts(settings: Settings, desk: Desk) -> None:
    alert = firing()
    desk.hears(alert)
    desk.later(MINUTE)
    document = get(settings, f"/api/v1/alerts/{alert.id}/history").json
    assert [change["what"] for change in document["changes"]] == ["firing", "told"]
    (told,) = document["notifications"]
    assert (told["receiver"], told["event"], told["state"], told["attempts"]) == ("chat", "firing", "sent", 1)


def test_the_first_who_acknowledges_has_it(settings: Settings, desk: Desk) -> None:
    alert = firing()
    desk.hears(alert)
    desk.later(MINUTE)
    target = f"/api/v1/alerts/{alert.id}/acknowledge"
    calls = [{"by": "ann", "comment": "mine"}, {"by": "ann"}, {"by": "bob"}]
    answers = ask(settings, *(("POST", target, body) for body in calls))
    assert [answer.status for answer in answers] == [200, 200, 409]
    assert [answer.json["acknowledged"]["by"] for answer in answers] == ["ann"] * 3
    assert desk.looks() == ["acknowledged chat errors"]
    desk.hears(resolved(alert))
    assert ask(settings, ("POST", target, {"by": "ann"}))[0].status == 409


def test_silences_are_made_shown_and_ended(settings: Settings, desk: Desk) -> None:
    matchers = [{"name": "shop", "value": "a|b", "isRegex": True}]
    body = {
        "matchers": matchers,
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00+01:00",
        "createdBy": "ann",
        "comment": "work",
    }
    (made,) = ask(settings, ("POST", "/api/v2/silences", body))
    name = made.json["silenceID"]
    (shown,) = get(settings, "/api/v2/silences").json
    assert shown["matchers"] == [{"name": "shop", "value": "a|b", "isRegex": True, "isEqual": True}]
    assert (shown["id"], shown["endsAt"], shown["status"]) == (name, "2098-12-31T23:00:00.000Z", {"state": "active"})
    (again,) = ask(settings, ("POST", "/api/v2/silences", {**body, "id": name, "comment": "more work"}))
    (shown,) = get(settings, "/api/v2/silences").json
    assert (shown["id"], shown["comment"]) == (again.json["silenceID"], "more work")
    answers = ask(settings, *[("DELETE", f"/api/v2/silence/{shown['id']}", None)] * 2)
    assert [answer.status for answer in answers] == [200, 200]
    assert get(settings, "/api/v2/silences").json == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"matchers": []}, "matchers"),
        ({"matchers": [{"name": "shop", "value": "(", "isRegex": True}]}, "matchers"),
        ({"matchers": [{"name": "shop", "value": ".*", "isRegex": True}]}, "matchers"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, "endsAt"),
        ({"endsAt": "tomorrow"}, "endsAt"),
        ({"startsAt": "2026-01-01T00:00:00"}, "startsAt"),
        ({"createdBy": ""}, "createdBy"),
    ],
)
def test_what_is_wrong_with_a_silence_is_named(
    settings: Settings, desk: Desk, change: dict[str, Any], field: str
) -> None:
    right = {
        "matchers": [{"name": "shop", "value": "a"}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "ann",
    }
    (answer,) = ask(settings, ("POST", "/api/v2/silences", {**right, **change}))
    assert answer.status == 400
    assert answer.json["field"].startswith(field)


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/api/v1/alerts/none", None, 404),
        ("GET", "/api/v1/alerts/none/history", None, 404),
        ("POST", "/api/v1/alerts/none/acknowledge", {"by": "ann"}, 404),
        ("POST", "/api/v1/alerts/none/acknowledge", {"who": "ann"}, 400),
        ("POST", "/api/v1/alerts/none/acknowledge", None, 400),
        ("DELETE", "/api/v2/silence/none", None, 404),
        ("GET", "/api/v1/notifications/7", None, 404),
        ("GET", "/api/v1/alerts?status=open", None, 400),
        ("GET", "/api/v1/alerts?colour=red", None, 400),
        ("GET", "/api/v1/alerts?limit=0", None, 400),
        ("GET", "/api/v1/oncall?hours=1000", None, 400),
        ("POST", "/api/v2/alerts", [{"labels": {"shop": "a"}}], 400),
        ("POST", "/api/v2/alerts", {"labels": {}}, 400),
        ("POST", "/api/v2/alerts", [{"labels": {"alertname": "x" * 300}}], 400),
    ],
)
def test_what_is_refused(settings: Settings, desk: Desk, method: str, target: str, body: Any, status: int) -> None:
    (answer,) = ask(settings, (method, target, body))
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_receiver_is_tested_by_the_service(settings: Settings, desk: Desk) -> None:
    (asked,) = ask(settings, ("POST", "/api/v1/receivers/chat/test", None))
    assert asked.status == 202
    shown = get(settings, f"/api/v1/notifications/{asked.json['number']}").json
    assert (shown["receiver"], shown["event"], shown["state"]) == ("chat", "test", "pending")


def test_who_is_on_call(settings: Settings, desk: Desk) -> None:
    with desk.store.writing() as connection:
        alert_silences.replace_shifts(connection, [Shift("first", 0, NOW * 2, "ann"), Shift("second", 0, HOUR, "bob")])
    assert [shift["person"] for shift in get(settings, "/api/v1/oncall").json["shifts"]] == ["ann"]


def test_a_store_that_was_never_made_is_said_to_be_away(settings: Settings) -> None:
    answer = get(settings, "/api/v1/alerts")
    assert answer.status == 503
    assert "alert store" in answer.json["detail"]


def test_alerts_of_others_wait_for_the_broker(settings: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.alert_feed._SECONDS", 0.3)
    (answer,) = ask(settings, ("POST", "/api/v2/alerts", [{"labels": {"alertname": "Up"}}]))
    assert answer.status == 503
    assert answer.headers["retry-after"]


def test_prometheus_alerts_become_messages() -> None:
    body = {
        "labels": {"alertname": "Up", "severity": "page", "job": "shop"},
        "annotations": {"summary": "it is down", "runbook_url": "wiki"},
        "startsAt": "2026-01-05T08:00:00.123456789Z",
        "endsAt": "2026-01-05T08:04:00Z",
        "generatorURL": "http://prometheus/graph",
    }
    posted = msgspec.convert(body, Posted)
    now = 1_767_600_000_000
    begun, over = alert_of(posted, now), alert_of(posted, now + 4 * MINUTE)
    assert (begun.id, begun.status, begun.ends_at) == (over.id, "firing", None)
    assert (over.status, over.ends_at) == ("resolved", now + 4 * MINUTE)
    assert (begun.rule, begun.severity, begun.kind, begun.starts_at) == ("Up", "critical", "external", now + 123)
    assert (begun.summary, begun.link, begun.runbook) == ("it is down", "http://prometheus/graph", "wiki")
    assert begun.labels == {"severity": "page", "job": "shop"}


def test_without_a_beginning_an_alert_begins_now() -> None:
    posted = Posted({"alertname": "Up"})
    assert alert_of(posted, NOW).starts_at == NOW
    with pytest.raises(Problem, match="alertname is missing"):
        alert_of(Posted({"job": "shop"}), NOW)
