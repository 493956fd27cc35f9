"""The canary: when it is missed, and what is said of it."""

from pathlib import Path

import msgspec
import pytest

from alerts.canary import Canary, dead_man
from alerts.config import Flapping
from alerts.record import record
from contracts.settings import Alerts, Kafka, Settings
from stores import alert_incidents
from tests.unit.alerting import MINUTE, START, Desk, config, firing, resolved, sqlite_store

EVERY = 5 * MINUTE
LATE = MINUTE


@pytest.fixture
def canary() -> Canary:
    own = Alerts(canary_seconds=300, canary_late_seconds=60)
    return Canary(Settings(alerts=own, kafka=Kafka(bootstrap_servers="127.0.0.1:1")), START)


def test_only_canaries_are_taken(canary: Canary) -> None:
    assert canary.takes(firing("canary"), START)
    assert not canary.takes(firing(), START)
    assert not canary.takes(msgspec.structs.replace(firing("canary"), kind="external"), START), "anybody may send these"


def test_one_that_is_late_is_missed_once_and_its_return_noticed_once(canary: Canary) -> None:
    assert canary.turn(START) is None
    canary.takes(firing("canary", START + MINUTE), START + MINUTE)
    assert [canary.turn(START + MINUTE), canary.turn(START + 2 * MINUTE)] == ["well", None]
    missed = START + MINUTE + EVERY + LATE
    assert [canary.turn(at) for at in (missed, missed + 1, missed + MINUTE)] == [None, "broken", None]
    canary.takes(firing("canary", missed + 2 * MINUTE), missed + 2 * MINUTE)
    assert [canary.turn(missed + 2 * MINUTE)] == ["well"]


def test_that_it_is_over_is_an_arrival_as_well(canary: Canary) -> None:
    canary.takes(resolved(firing("canary", START), lasted=MINUTE), START + MINUTE)
    assert canary.turn(START + MINUTE) == "well"


def test_a_way_that_is_far_behind_is_broken(canary: Canary) -> None:
    sent = firing("canary", START + MINUTE)
    canary.takes(sent, START + MINUTE)
    late = START + 60 * MINUTE
    assert [canary.turn(START + MINUTE), canary.turn(late)] == ["well", "broken"]
    canary.takes(resolved(sent, lasted=MINUTE), late)
    assert canary.turn(late) is None
    canary.takes(firing("canary", late), late)
    assert canary.turn(late) == "well"


def test_an_instance_that_begins_to_work_waits_its_time(canary: Canary) -> None:
    canary.start(START + 100 * MINUTE)
    canary.takes(firing("canary", START), START + 100 * MINUTE)  # from before
    assert canary.turn(START + 100 * MINUTE + EVERY + LATE) is None
    assert canary.turn(START + 100 * MINUTE + EVERY + LATE + 1) == "broken"


def test_without_canaries_nothing_is_missed() -> None:
    canary = Canary(Settings(alerts=Alerts(canary_seconds=0)), START)
    assert canary.turn(START + 1000 * MINUTE) is None


def test_what_is_missed_is_told_and_resolved_in_the_store(tmp_path: Path) -> None:
    desk = Desk(sqlite_store(tmp_path), config())
    (broken,) = dead_man("broken", None, desk.now)
    assert dead_man("broken", broken, desk.now + 1) == dead_man("well", None, desk.now) == []
    desk.hears(broken)
    assert desk.later(2 * MINUTE) == ["firing chat alerts-do-not-arrive"]
    assert desk.hears(*dead_man("well", broken, desk.now)) == ["resolved chat alerts-do-not-arrive"]
    with desk.store.writing() as connection:
        assert record(connection, [broken], Flapping(), desk.now) == 0
        assert alert_incidents.live(connection) == []
    desk.store.close()
