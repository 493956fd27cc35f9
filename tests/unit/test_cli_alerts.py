"""`tidewatch alerts` over a real store."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from contracts.settings_source import load
from stores import alert_outbox, alert_silences
from stores.alert_silences import Shift
from stores.alerts import open_store
from tests.unit.alerting import MINUTE, START, Desk, firing, resolved

FAR = 4_000_000_000_000


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in [name for name in os.environ if name.startswith("TIDEWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TIDEWATCH_STATE_DIR", str(tmp_path))
    desk = Desk(open_store(load()))
    yield desk
    desk.store.close()


def alerts(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["alerts", *arguments])


def test_what_fires_is_listed_and_what_is_over_on_demand(desk: Desk) -> None:
    one, two = firing(shop="a"), firing("slow", severity="critical")
    assert alerts("list").output == "nothing fires\n"
    desk.hears(one, two, resolved(two))
    shown = alerts("list").output
    assert "shop=a" in shown
    assert "since 2026-01-05T08:00:00Z  firing" in shown
    assert "slow" not in shown
    assert "slow" in alerts("list", "--all").output


def test_an_alert_is_taken_by_a_part_of_its_id(desk: Desk) -> None:
    alert = firing()
    desk.hears(alert)
    desk.later(MINUTE)
    assert "ann has errors" in alerts("ack", alert.id[:6], "--by", "ann", "--comment", "mine").output
    assert desk.looks() == ["acknowledged chat errors"]
    late = alerts("ack", alert.id[:6], "--by", "bob")
    assert late.exit_code == 1
    assert "ann has it already" in late.output
    assert "ann has it" in alerts("list").output
    assert "no alert that fires has an id that begins with zz" in alerts("ack", "zz").output


def test_silences_are_made_shown_and_ended(desk: Desk) -> None:
    made = alerts("silence", "shop=a", 'code=~"-1.*"', "--for", "30m", "--by", "ann", "--comment", "work")
    assert 'silenced for 30m: shop="a", code=~"-1.*"' in made.output
    shown = alerts("unsilence").output
    assert "by ann" in shown
    assert "work" in shown
    assert "ended" in alerts("unsilence", shown[:6]).output
    assert alerts("unsilence").output == "no silences\n"
    for wrong in (["nothing"], ["shop=a", "--for", "soon"]):
        assert alerts("silence", *wrong).exit_code == 2


def test_who_is_on_call(desk: Desk) -> None:
    assert alerts("oncall").output.startswith("nobody")
    with desk.store.writing() as connection:
        alert_silences.replace_shifts(connection, [Shift("first", 0, FAR, "ann"), Shift("second", 0, START, "bob")])
    assert alerts("oncall").output.split()[:3] == ["first", "ann", "until"]


@pytest.mark.parametrize(
    ("reached", "says"), [(True, "chat has taken it"), (False, "was not reached: no such channel")]
)
def test_a_receiver_is_tested(desk: Desk, reached: bool, says: str) -> None:
    done = threading.Event()

    def service() -> None:
        while not done.wait(0.02):
            with desk.store.writing() as connection:
                for sending in alert_outbox.due(connection, FAR):
                    if reached:
                        alert_outbox.sent(connection, [sending.number], FAR)
                    else:
                        alert_outbox.failed(connection, [sending.number], "no such channel")

    thread = threading.Thread(target=service)
    thread.start()
    answer = alerts("test", "chat")
    done.set()
    thread.join()
    assert says in answer.output
    assert answer.exit_code == (0 if reached else 1)


def test_a_store_that_was_never_made_is_said_to_be_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_STATE_DIR", str(tmp_path))
    answer = alerts("list")
    assert "alert store: " in str(answer.exception)
