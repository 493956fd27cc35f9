"""Who is on call: by the local clock, also when it is put forward or back."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.config import Schedule
from alerts.oncall import on_call, reached, roster, shifts
from tests.unit.alerting import RECEIVERS, ROUTE, config

WARSAW = ZoneInfo("Europe/Warsaw")
ZONES = ["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "UTC"]
HOUR = 3_600_000


def schedule(**given: Any) -> Schedule:
    fields = {"time_zone": "Europe/Warsaw", "people": ["ann", "bob"], "starts": "2026-03-23T09:00", "days": 7}
    return Schedule.model_validate({**fields, **given})


def at(text: str, zone: ZoneInfo = WARSAW, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


def test_people_take_turns_at_the_same_time_of_day() -> None:
    """On 29 March 2026 the clocks of Warsaw go from 02:00 to 03:00."""
    plan = schedule()
    assert on_call(plan, at("2026-03-23T08:59:59")) is None
    assert on_call(plan, at("2026-03-23T09:00")) == "ann"
    assert on_call(plan, at("2026-03-30T08:59:59")) == "ann"
    assert on_call(plan, at("2026-03-30T09:00")) == "bob"
    assert on_call(plan, at("2026-04-06T09:00")) == "ann"


def test_a_change_within_the_hour_that_comes_twice_happens_once() -> None:
    """On 25 October 2026 it is 02:30 twice; the change is at the first."""
    plan = schedule(starts="2026-10-24T02:30", days=1)
    assert on_call(plan, at("2026-10-25T02:29")) == "ann"
    assert on_call(plan, at("2026-10-25T02:30")) == "bob"
    assert on_call(plan, at("2026-10-25T02:10", fold=1)) == "bob"
    assert on_call(plan, at("2026-10-25T02:40", fold=1)) == "bob"


def test_a_change_within_the_hour_that_does_not_come_happens() -> None:
    plan = schedule(starts="2026-03-28T02:30", days=1)
    assert on_call(plan, at("2026-03-29T01:59")) == "ann"
    assert on_call(plan, at("2026-03-29T03:31")) == "bob"


def test_an_override_holds_and_the_later_one_of_two() -> None:
    overrides = [
        {"person": "bob", "begin": "2026-03-24T00:00", "end": "2026-03-26T00:00"},
        {"person": "eve", "begin": "2026-03-25T00:00", "end": "2026-03-27T00:00"},
    ]
    plan = schedule(overrides=overrides)
    days = [on_call(plan, at(f"2026-03-{day}T12:00")) for day in (23, 24, 25, 26, 27)]
    assert days == ["ann", "bob", "eve", "eve", "ann"]


def test_shifts_have_no_gaps_and_no_changes_to_the_same_person() -> None:
    plan = schedule(people=["ann", "ann", "bob"])
    found = list(shifts("first", plan, at("2026-03-01T00:00"), at("2026-04-20T09:00")))
    assert [(shift.person, shift.starts_at, shift.ends_at) for shift in found] == [
        ("ann", at("2026-03-23T09:00"), at("2026-04-06T09:00")),
        ("bob", at("2026-04-06T09:00"), at("2026-04-13T09:00")),
        ("ann", at("2026-04-13T09:00"), at("2026-04-20T09:00")),
    ]


@given(st.sampled_from(ZONES), st.integers(0, 400 * 24 * 4), st.integers(1, 9), st.integers(0, 23))
def test_the_turn_is_the_number_of_changes_so_far(zone: str, quarters: int, days: int, hour: int) -> None:
    """Against counting every change one by one."""
    start = datetime(2026, 1, 1, hour, 30)
    plan = schedule(time_zone=zone, starts=start.isoformat(), days=days, people=[str(number) for number in range(500)])
    moment = int(start.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000) + quarters * HOUR // 4
    changes = 0
    while (start + timedelta(days=days * (changes + 1))).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000 <= moment:
        changes += 1
    assert on_call(plan, moment) == str(changes)


@given(st.integers(0, 300 * 24), st.integers(1, 60 * 24))
def test_the_shifts_say_what_on_call_says(hours: int, length: int) -> None:
    plan = schedule(days=3, overrides=[{"person": "eve", "begin": "2026-05-01T00:00", "end": "2026-05-09T11:00"}])
    begin = at("2026-03-20T00:00") + hours * HOUR
    found = list(shifts("first", plan, begin, begin + length * HOUR))
    for moment in range(begin, begin + length * HOUR, HOUR * 7 // 2):
        person = next((shift.person for shift in found if shift.starts_at <= moment < shift.ends_at), None)
        assert person == on_call(plan, moment)


@pytest.mark.parametrize(
    ("names", "receivers"),
    [(["first"], ["phone"]), (["bob"], ["mail", "chat"]), (["chat", "bob", "phone"], ["chat", "mail", "phone"])],
)
def test_names_lead_to_receivers_each_once(names: list[str], receivers: list[str]) -> None:
    rules = config(
        receivers=RECEIVERS,
        people={"ann": ["phone"], "bob": ["mail", "chat"]},
        schedules={"first": {"time_zone": "UTC", "people": ["ann"], "starts": "2026-01-01T00:00"}},
        routes=[ROUTE],
    )
    moment = at("2026-05-01T00:00")
    assert reached(rules, names, moment) == receivers
    assert reached(rules, ["first"], 0) == []
    assert [shift.person for shift in roster(rules, moment, moment + HOUR)] == ["ann"]
