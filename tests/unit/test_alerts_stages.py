"""Each stage by what comes out at the end, over SQLite, with a clock that stands until it is moved."""

import msgspec

from stores import alert_silences
from tests.unit.alerting import (
    HOUR,
    MINUTE,
    RECEIVERS,
    ROUTE,
    SECOND,
    START,
    Desk,
    config,
    firing,
    resolved,
)


def test_an_incident_is_told_once_and_its_end_once(desk: Desk) -> None:
    alert = firing()
    assert desk.hears(alert) == []
    assert desk.later(5 * SECOND) == ["firing chat errors"]
    assert desk.later(HOUR) == []
    assert desk.hears(resolved(alert)) == ["resolved chat errors"]
    assert desk.live() == 0
    assert desk.history(alert) == ["firing", "told", "resolved", "told"]


def test_copies_and_late_messages_change_nothing(desk: Desk) -> None:
    alert = firing()
    desk.hears(alert, alert)
    assert desk.later(MINUTE) == ["firing chat errors"]
    desk.now += HOUR
    assert desk.hears(alert, resolved(alert), resolved(alert), alert) == ["resolved chat errors"]
    assert desk.hears(alert) == []
    assert desk.later(HOUR) == []


def test_a_gap_in_data_neither_resolves_nor_tells_anew(desk: Desk) -> None:
    desk.hears(firing())
    assert desk.later(3 * HOUR) == ["firing chat errors"]
    assert desk.hears(firing()) == []
    assert desk.live() == 1


def test_a_group_waits_for_others_and_then_keeps_its_interval(desk: Desk) -> None:
    first, second, third = (firing(shop=shop) for shop in ("a", "b", "c"))
    desk.hears(first)
    desk.now += 3 * SECOND
    desk.hears(second)
    assert desk.later(2 * SECOND) == ["firing chat errors"] * 2
    assert desk.hears(third) == []
    assert desk.later(59 * SECOND) == []
    assert desk.later(SECOND) == ["firing chat errors"]


def test_what_ends_before_its_group_was_told_is_not_told(desk: Desk) -> None:
    alert = firing()
    desk.hears(alert, resolved(alert, lasted=4 * SECOND))
    assert desk.later(HOUR) == []
    assert desk.changes(alert)[-1].detail == "it was over before the group_wait of all"
    assert desk.live() == 0


def test_what_lasted_is_told_even_when_its_end_is_read_with_it(desk: Desk) -> None:
    """As after the service was away: whether something is told does not depend on when it was read."""
    alert = firing()
    assert desk.hears(alert, resolved(alert)) == []
    assert desk.later(HOUR) == ["firing chat errors", "resolved chat errors"]


def test_a_reminder_comes_until_somebody_acknowledges(desk: Desk) -> None:
    alert = firing()
    desk.hears(alert)
    assert desk.later(9 * HOUR) == ["firing chat errors", "reminder chat errors", "reminder chat errors"]
    desk.acknowledge(alert)
    assert desk.looks() == ["acknowledged chat errors"]
    assert desk.later(9 * HOUR) == []


def test_worse_is_told_better_is_not(desk: Desk) -> None:
    alert = firing()
    desk.hears(alert)
    desk.later(MINUTE)
    worse = msgspec.structs.replace(alert, severity="critical", value=9.0)
    desk.now += MINUTE
    assert desk.hears(worse) == ["worse chat errors"]
    assert desk.hears(msgspec.structs.replace(alert, severity="info")) == []
    assert desk.messages()[-1].alert.severity == "critical"


def test_a_source_that_forgot_joins_what_is_open(desk: Desk) -> None:
    alert, again = firing(), firing(at=START + MINUTE)
    desk.hears(alert)
    assert desk.later(2 * MINUTE) == ["firing chat errors"]
    assert desk.hears(again) == []
    assert desk.hears(resolved(again)) == ["resolved chat errors"]
    assert desk.live() == 0


def test_an_end_that_is_read_after_the_next_beginning_ends_the_right_one(desk: Desk) -> None:
    first = firing()
    second = firing(at=START + 20 * MINUTE)
    desk.hears(first)
    desk.later(MINUTE)
    desk.now += 20 * MINUTE
    assert desk.hears(second) == []
    assert desk.hears(resolved(first)) == ["resolved chat errors", "firing chat errors"]
    assert desk.later(2 * MINUTE) == []
    assert desk.live() == 1


def test_an_old_end_does_not_end_a_later_incident(desk: Desk) -> None:
    later = firing(at=START + HOUR)
    desk.hears(later)
    desk.later(MINUTE)
    desk.hears(resolved(firing()))
    assert desk.live() >= 1
    assert "resolved" not in desk.history(later)


class TestSilence:
    def test_it_holds_back_what_is_new_and_lets_go_when_it_ends(self, desk: Desk) -> None:
        desk.silence('rule="errors"', minutes=30)
        desk.hears(firing())
        assert desk.later(29 * MINUTE) == []
        assert desk.later(2 * MINUTE) == ["firing chat errors"]

    def test_who_was_told_is_told_that_it_is_over(self, desk: Desk) -> None:
        alert = firing()
        desk.hears(alert)
        desk.later(MINUTE)
        desk.silence("severity=~warn.*")
        desk.now += 2 * MINUTE
        assert desk.hears(resolved(alert)) == ["resolved chat errors"]

    def test_what_came_and_went_in_it_is_not_told(self, desk: Desk) -> None:
        alert = firing(shop="a")
        desk.silence("shop=a")
        desk.hears(alert, resolved(alert))
        assert desk.later(2 * HOUR) == []
        assert "silenced by bob" in desk.changes(alert)[-1].detail

    def test_what_it_does_not_match_is_told(self, desk: Desk) -> None:
        desk.silence("shop!=a")
        desk.hears(firing(shop="a"))
        assert desk.later(MINUTE) == ["firing chat errors"]

    def test_it_can_be_ended(self, desk: Desk) -> None:
        silence = desk.silence("rule=errors")
        desk.hears(firing())
        desk.later(MINUTE)
        with desk.store.writing() as connection:
            ended = alert_silences.end(connection, silence.id, desk.now)
        assert ended is not None
        assert ended.ends_at == desk.now
        assert desk.looks() == ["firing chat errors"]


class TestInhibition:
    RULES = config(inhibitions=[{"source": ["rule=down"], "target": ["severity!=critical"], "equal": ["shop"]}])

    def test_while_the_cause_fires_the_consequence_is_not_told(self, desk: Desk) -> None:
        desk.config = self.RULES
        cause, here, there = firing("down", shop="a"), firing("slow", shop="a"), firing("slow", shop="b")
        desk.hears(cause, here, there)
        assert sorted(desk.later(MINUTE)) == ["firing chat down", "firing chat slow"]
        desk.now += 5 * MINUTE
        assert sorted(desk.hears(resolved(cause))) == ["firing chat slow", "resolved chat down"]

    def test_a_cause_does_not_inhibit_itself(self, desk: Desk) -> None:
        desk.config = self.RULES
        desk.hears(firing("down", shop="a"))
        assert desk.later(MINUTE) == ["firing chat down"]


class TestRoutes:
    def test_the_first_that_matches_takes_it_and_those_after_it_when_it_goes_on(self, desk: Desk) -> None:
        routes = [
            {**ROUTE, "name": "critical", "match": ["severity=critical"], "receivers": ["phone"], "continue": True},
            {**ROUTE, "name": "shop", "match": ["shop=a"], "receivers": ["mail"]},
            ROUTE,
        ]
        desk.config = config(routes=routes)
        desk.hears(firing("one", severity="critical", shop="a"), firing("two", severity="critical"), firing("three"))
        out = sorted(desk.later(MINUTE))
        assert out == [
            "firing chat three",
            "firing chat two",
            "firing mail one",
            "firing phone one",
            "firing phone two",
        ]

    def test_groups_are_by_label(self, desk: Desk) -> None:
        desk.config = config(routes=[{**ROUTE, "group_by": ["shop"]}])
        desk.hears(firing(shop="a"))
        desk.later(30 * SECOND)
        desk.hears(firing("slow", shop="b"))
        assert desk.later(5 * SECOND) == ["firing chat slow"]
        assert desk.messages()[-1].group == {"shop": "b"}

    def test_who_wants_no_ends_gets_none(self, desk: Desk) -> None:
        desk.config = config(receivers={**RECEIVERS, "chat": {"kind": "log", "send_resolved": False}})
        alert = firing()
        desk.hears(alert)
        assert desk.later(2 * MINUTE) == ["firing chat errors"]
        assert desk.hears(resolved(alert)) == []
        assert desk.live() == 0

    def test_a_route_that_is_gone_still_tells_the_end(self, desk: Desk) -> None:
        alert = firing()
        desk.hears(alert)
        desk.later(MINUTE)
        desk.config = config(routes=[{**ROUTE, "name": "new", "receivers": ["mail"]}])
        desk.now += 2 * MINUTE
        assert desk.looks() == ["firing mail errors"]
        desk.hears(resolved(alert))
        assert sorted(desk.later(2 * MINUTE)) == ["resolved chat errors", "resolved mail errors"]


def test_looking_twice_tells_nothing_twice(desk: Desk) -> None:
    desk.hears(firing(), firing("slow"))
    desk.now += MINUTE
    assert len(desk.looks()) == 2
    assert desk.looks() == []
