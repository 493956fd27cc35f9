"""A rule that is put in force while everything runs: tags over HTTP break it, the alert comes out once, and is told
once although the alert service is killed in that moment. `make incidents` kills all there is on this way.
"""

import os
import signal
import time
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from cli import supervision
from cli.main import main
from contracts.alerts import Alert, decode
from contracts.rule_sets import from_records
from contracts.settings import CONFIG_VARIABLE, Settings
from contracts.tags import ProductInfo, UserTag
from contracts.times import MINUTE_MS
from infra import topic_records
from infra.embedded import instance
from tests.e2e.world import World

PATIENCE: Final = 240.0
EVERY: Final = 0.5  # seconds, of tags that let minutes close
RULES: Final = """
rules:
  - name: many-buys
    kind: threshold
    select: {metric: user_tags_buys, match: [country=Rulia]}
    above: 3
    severity: critical
    labels: {team: shop}
"""


def tag(time_ms: int, country: str, number: int) -> UserTag:
    """Cookies of many partitions, so that all of them make progress."""
    product = ProductInfo(product_id=7, brand_id="b", category_id="c", price=1)
    return UserTag(time_ms, f"rules-{number}", country, "PC", "BUY", "o", product)


def alerts(stack: Settings) -> list[Alert]:
    """Of the rule, as a reader of committed transactions finds them."""
    found = [decode(message.value() or b"") for message in topic_records.held(stack, stack.topics.alerts)]
    return [alert for alert in found if alert.rule == "many-buys"]


def test_a_rule_is_put_in_force_and_its_alert_comes_and_goes(
    stack: Settings, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rules_in_force(stack) >= {"buys-unusual", "visitors-absent", "blind"}, "the shipped ones, from the beginning"
    file = tmp_path / "rules.yml"
    file.write_text(RULES)
    monkeypatch.setenv(CONFIG_VARIABLE, str(instance.settings_file(stack)))
    assert CliRunner().invoke(main, ["rules", "apply", str(file)]).exit_code == 0
    assert rules_in_force(stack) == {"many-buys"}
    # Rules reach the job within a second or two, a minute ends later than that.
    bad = now() // MINUTE_MS * MINUTE_MS + MINUTE_MS
    go_on(world, bad)
    world.post_bulk([tag(bad + number, "Rulia", number) for number in range(5)])
    number = 1000
    deadline = time.monotonic() + PATIENCE
    killed = False
    while len(alerts(stack)) < 2 or len(told := notifications(world, alerts(stack)[0].id)) < 2:
        assert time.monotonic() < deadline, alerts(stack)
        if alerts(stack) and not killed:
            killed = True
            kill_alert_service(stack)
        world.post_bulk([tag(now(), "Elsewhere", number + one) for one in range(10)])
        number += 10
        time.sleep(EVERY)
    first, second = alerts(stack)
    assert (first.status, first.starts_at, first.value) == ("firing", bad, 5)
    assert (second.status, second.ends_at, second.value) == ("resolved", bad + MINUTE_MS, 0)
    assert first.id == second.id
    assert first.labels == {"metric": "user_tags_buys", "country": "Rulia", "team": "shop"}
    assert told == [("log", "firing"), ("log", "resolved")]


def notifications(world: World, incident: str) -> list[tuple[str, str]]:
    """Receiver and event of each that was sent."""
    answer = world.call("GET", f"/api/v1/alerts/{incident}/history")
    sent = answer.json()["notifications"] if answer.status == 200 else []  # 404: not read yet
    return [(one["receiver"], one["event"]) for one in sent if one["state"] == "sent"]


def kill_alert_service(stack: Settings) -> None:
    """The supervisor starts it again."""
    (link,) = [link for link in (supervision.ask(stack) or {})["links"] if link["name"] == "alerts"]
    os.kill(link["pid"], signal.SIGKILL)


def go_on(world: World, until: int) -> None:
    """Tags at the pace of the clock until a minute begins."""
    number = 100
    while now() < until:
        world.post_bulk([tag(now(), "Elsewhere", number + one) for one in range(10)])
        number += 10
        time.sleep(EVERY)


def rules_in_force(stack: Settings) -> set[str]:
    records: dict[str, bytes] = {}
    for message in topic_records.held(stack, stack.topics.rules):
        records[(message.key() or b"").decode()] = message.value() or b""
    return set(from_records({key: value for key, value in records.items() if value})[0].rules)


def now() -> int:
    """The clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000
