"""Each way of telling somebody, against a server that answers as it is told."""

from collections.abc import Iterator

import msgspec
import pytest
from pydantic import SecretStr, ValidationError

from alerts import notifiers
from alerts.message import Event, Message, text
from alerts.notifiers.apprise import Apprise
from alerts.notifiers.pagerduty import PagerDuty
from alerts.notifiers.webhook import KEY, SIGNATURE, TIMESTAMP, Webhook, signature
from alerts.receiver import Receiver
from tests.conftest import free_ports
from tests.unit.alerting import START, firing
from tests.unit.http_receiver import HttpReceiver, http_receiver

SECRET = "hush"  # noqa: S105  # of this test
SECONDS = 5.0


@pytest.fixture
def server() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


def message(event: Event = "firing", source: str = "", shop: str = "") -> Message:
    labels = {name: value for name, value in (("source", source), ("shop", shop)) if value}
    alert = msgspec.structs.replace(firing(severity="critical"), labels=labels)
    return Message(f"{alert.id}-{event}", alert.id, event, alert, START, {"rule": "errors"}, ["a note"])


def webhook(server: HttpReceiver, path: str = "/hook") -> Webhook:
    return Webhook(url=SecretStr(server.url + path), secret=SecretStr(SECRET))


def pagerduty(server: HttpReceiver) -> PagerDuty:
    return PagerDuty(routing_key=SecretStr("R" * 32), url=f"{server.url}/v2/enqueue")


def test_all_kinds_are_found_by_their_files() -> None:
    assert {"apprise", "log", "pagerduty", "webhook"} <= set(notifiers.kinds())


def test_a_webhook_can_be_checked_by_its_signature(server: HttpReceiver) -> None:
    sent = [message(), message("resolved", shop="a")]
    assert webhook(server).send(sent, SECONDS).state == "sent"
    (call,) = server.calls
    assert call.headers[SIGNATURE.lower()] == signature(SECRET, call.headers[TIMESTAMP.lower()], call.body)
    assert call.headers[SIGNATURE.lower()] != signature("other", call.headers[TIMESTAMP.lower()], call.body)
    assert [msgspec.convert(one, Message) for one in call.json["messages"]] == sent


def test_the_signature_is_the_one_that_is_documented() -> None:
    """`printf '1700000000.{}' | openssl dgst -sha256 -hmac hush`"""
    assert signature(SECRET, "1700000000", b"{}") == f"sha256={DOCUMENTED}"


DOCUMENTED = "763081ea12e3b1f903f958994c023cde07f1224b02a538ad6f959112a2f780ba"


def test_a_copy_has_the_same_key(server: HttpReceiver) -> None:
    for _ in range(2):
        webhook(server).send([message()], SECONDS)
    webhook(server).send([message("resolved")], SECONDS)
    keys = [call.headers[KEY.lower()] for call in server.calls]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("event", "action"),
    [("firing", "trigger"), ("escalated", "trigger"), ("acknowledged", "acknowledge"), ("resolved", "resolve")],
)
def test_pagerduty_is_told_in_its_own_words(server: HttpReceiver, event: Event, action: str) -> None:
    told = message(event, source="shop")
    assert pagerduty(server).send([told], SECONDS).state == "sent"
    (call,) = server.calls
    assert call.path == "/v2/enqueue"
    assert (call.json["event_action"], call.json["dedup_key"]) == (action, told.alert.id)
    payload = call.json["payload"]
    assert (payload["severity"], payload["source"], payload["timestamp"]) == (
        "critical",
        "shop",
        "2026-01-05T08:00:00.000Z",
    )
    assert payload["summary"] == "errors: errors is high"


@pytest.mark.parametrize(
    ("status", "state"),
    [(400, "refused"), (404, "refused"), (302, "refused"), (408, "retry"), (429, "retry"), (503, "retry")],
)
def test_what_an_answer_means(server: HttpReceiver, status: int, state: str) -> None:
    for receiver in (webhook(server), pagerduty(server)):
        server.answers = [status]
        outcome = receiver.send([message()], SECONDS)
        assert outcome.state == state
        assert str(status) in outcome.detail
    assert all(call.method == "POST" for call in server.calls)


def test_a_receiver_that_asks_to_wait_is_given_its_time(server: HttpReceiver) -> None:
    server.answers, server.retry_after = [429], "7"
    assert webhook(server).send([message()], SECONDS).wait == 7000


def test_nobody_there_is_worth_another_attempt() -> None:
    (port,) = free_ports(1)
    outcome = Webhook(url=SecretStr(f"http://127.0.0.1:{port}/x"), secret=SecretStr(SECRET)).send([message()], SECONDS)
    assert outcome.state == "retry"


def test_what_is_no_web_address_is_refused() -> None:
    for url in ("file:///etc/passwd", "http://[", "nothing"):
        assert Webhook(url=SecretStr(url), secret=SecretStr(SECRET)).send([message()], SECONDS).state == "refused"


def test_apprise_sends_a_text(server: HttpReceiver) -> None:
    receiver = Apprise(url=SecretStr(server.url.replace("http://", "json://") + "/notify"))
    assert receiver.send([message(shop="a")], SECONDS).state == "sent"
    (call,) = server.calls
    assert "[FIRING] critical: errors" in call.json["title"]
    assert "shop=a" in call.json["message"]
    server.answers = [500]
    assert receiver.send([message()], SECONDS).state == "retry"


def test_an_address_that_apprise_cannot_read_is_refused_without_being_shown() -> None:
    with pytest.raises(ValidationError, match="cannot read the address") as error:
        Apprise(url=SecretStr("nonsense-with-a-secret"))
    assert "secret" not in str(error.value)


def test_secrets_are_not_shown() -> None:
    receivers: list[Receiver] = [
        Webhook(url=SecretStr("http://a/token-one"), secret=SecretStr("token-two")),
        PagerDuty(routing_key=SecretStr("token-three")),
    ]
    assert "token" not in repr(receivers)


def test_a_text_says_what_people_need() -> None:
    alert = msgspec.structs.replace(
        firing(code="-17"), value=1.5, threshold=1.25, runbook="wiki/errors", link="http://plot"
    )
    title, body = text([msgspec.structs.replace(message(), alert=alert), message("resolved")])
    assert title == "[FIRING] warning: errors and 1 more"
    for part in ("code=-17", "value 1.5, threshold 1.25", "runbook: wiki/errors", "plot: http://plot", "a note"):
        assert part in body
