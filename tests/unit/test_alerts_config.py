"""The file of routes: what is wrong in it is named, and secrets are not shown."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.config import ConfigError, load, parse
from alerts.fields import duration_text, milliseconds
from alerts.routes_file import RoutesFile
from tests.conftest import CHECKOUT

SMALL: dict[str, Any] = {"receivers": {"chat": {"kind": "log"}}, "routes": [{"name": "all", "receivers": ["chat"]}]}


def changed(**sections: Any) -> dict[str, Any]:
    return {**SMALL, **sections}


def test_the_file_that_is_shipped_is_usable() -> None:
    assert load(CHECKOUT / "alerts" / "routes.yml").routes[-1].match == []


def test_defaults_are_those_that_are_documented() -> None:
    route = parse(SMALL).routes[0]
    assert (route.group_wait, route.group_interval, route.repeat_interval) == (5_000, 300_000, 14_400_000)


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"receivers": {"chat": {"kind": "log", "colour": 1}}}, "receivers.chat.*colour"),
        ({"receivers": {"chat": {"kind": "pigeon"}}}, "receivers.chat.*apprise, log, pagerduty, webhook"),
        ({"receivers": {"chat": {"kind": "pagerduty"}}}, "routing_key"),
        ({"routes": [{"name": "all", "receivers": ["nobody"]}]}, "'nobody' is not defined"),
        ({"routes": [{"name": "all", "receivers": ["chat"], "escalation": "none"}]}, "'none' is not defined"),
        ({"routes": [{"name": "all"}]}, "needs `receivers`"),
        ({"routes": [{"name": "a", "receivers": ["chat"]}] * 2}, "'a' is defined twice"),
        ({"routes": [{"name": "a", "receivers": ["chat"], "match": ["a=b"]}]}, "must match everything"),
        ({"routes": [{"name": "a", "receivers": ["chat"], "match": ["nothing"]}]}, "routes.0.match.0.*not a matcher"),
        ({"routes": [{"name": "a", "receivers": ["chat"], "match": ["a=~("]}]}, "not a regular expression"),
        ({"routes": [{"name": "a", "receivers": ["chat"], "group_wait": 5}]}, "group_wait.*must be a duration"),
        ({"people": {"ann": ["pager"]}}, "person ann: receiver 'pager'"),
        ({"people": {"chat": []}}, "'chat' is defined twice"),
        ({"schedules": {"s": {"time_zone": "Mars", "people": ["x"], "starts": "2026-01-01"}}}, "no such time zone"),
        ({"escalations": {"e": {"steps": [{"after": "1m", "notify": ["x"]}]}}}, "escalation e: .* 'x' is not defined"),
        (
            {
                "escalations": {
                    "e": {"steps": [{"after": "1m", "notify": ["chat"]}, {"after": "0s", "notify": ["chat"]}]}
                }
            },
            "must not go down",
        ),
        ({"receivers": {"chat": {"kind": "pagerduty", "routing_key": "${NOT_THERE}"}}}, "NOT_THERE is not set"),
    ],
)
def test_what_is_wrong_is_named(sections: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse(changed(**sections))


def test_a_secret_comes_from_the_environment_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "hush")
    receivers = {"chat": {"kind": "webhook", "url": "http://a/${HOOK}", "secret": "${HOOK}"}}
    config = parse(changed(receivers=receivers))
    assert "hush" not in repr(config)
    assert config.receivers["chat"].url.get_secret_value() == "http://a/hush"  # type: ignore[attr-defined]  # a webhook's


def test_a_secret_is_not_in_the_message_about_its_neighbour() -> None:
    receivers = {"chat": {"kind": "webhook", "url": "http://a/hush", "secret": 17, "colour": "hush"}}
    with pytest.raises(ConfigError) as error:
        parse(changed(receivers=receivers))
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("text", ["30s", "5m", "1h30m", "7d", "1d2h3m4s5ms"])
def test_durations_read_back(text: str) -> None:
    assert duration_text(milliseconds(text)) == text


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "1m1h", None, 5])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        milliseconds(text)


def test_a_file_that_became_unusable_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    path = tmp_path / "routes.yml"
    file = RoutesFile(path)
    assert file.current() == (None, False)
    assert "No such file" in str(file.reason)
    path.write_text(yaml.safe_dump(SMALL))
    config, new = file.current()
    assert (config, new, file.reason) == (parse(SMALL), True, None)
    assert file.current() == (config, False)
    path.write_text("routes: []")
    assert file.current() == (config, False)
    assert "routes" in str(file.reason)
