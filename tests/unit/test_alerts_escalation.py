"""What goes on while nobody acts: escalation, and what flaps; over SQLite, with a clock that stands."""

from tests.unit.alerting import (
    HOUR,
    MINUTE,
    ROUTE,
    SECOND,
    Desk,
    config,
    firing,
    resolved,
)


class TestEscalation:
    RULES = config(
        people={"ann": ["phone"], "bob": ["mail"]},
        schedules={"first": {"time_zone": "UTC", "people": ["ann"], "starts": "2026-01-01T00:00"}},
        escalations={
            "shop": {
                "steps": [{"after": "0s", "notify": ["first"]}, {"after": "10m", "notify": ["bob", "other"]}],
                "rounds": 2,
                "pause": "20m",
            }
        },
        routes=[{**ROUTE, "escalation": "shop"}],
    )

    def test_one_after_the_other_until_all_rounds_are_over(self, desk: Desk) -> None:
        desk.config = self.RULES
        desk.hears(firing())
        assert desk.later(MINUTE) == ["firing chat errors", "escalated phone errors"]
        assert desk.later(10 * MINUTE) == ["escalated mail errors", "escalated other errors"]
        assert desk.later(20 * MINUTE) == ["escalated phone errors"]
        assert desk.later(10 * MINUTE) == ["escalated mail errors", "escalated other errors"]
        assert desk.later(2 * HOUR) == []

    def test_an_acknowledgement_ends_it_and_those_who_were_told_hear_of_it(self, desk: Desk) -> None:
        desk.config = self.RULES
        alert = firing()
        desk.hears(alert)
        desk.later(5 * MINUTE)
        desk.acknowledge(alert)
        assert desk.looks() == ["acknowledged chat errors", "acknowledged phone errors"]
        assert desk.later(HOUR) == []

    def test_all_who_were_told_hear_the_end(self, desk: Desk) -> None:
        desk.config = self.RULES
        alert = firing()
        desk.hears(alert)
        desk.later(15 * MINUTE)
        out = desk.hears(resolved(alert))
        assert sorted(out) == [f"resolved {name} errors" for name in ("chat", "mail", "other", "phone")]

    def test_it_rests_while_silenced_and_goes_on_by_one_step(self, desk: Desk) -> None:
        desk.config = self.RULES
        desk.hears(firing())
        desk.later(MINUTE)
        desk.silence("rule=errors", minutes=60)
        assert desk.later(59 * MINUTE) == []
        assert desk.later(2 * MINUTE) == ["escalated mail errors", "escalated other errors"]


class TestFlapping:
    def flaps(self, desk: Desk, times: int) -> list[str]:
        """Begins and ends, a minute each."""
        out = []
        for _ in range(times):
            alert = firing(at=desk.now)
            out += desk.hears(alert) + desk.later(MINUTE) + desk.hears(resolved(alert, MINUTE)) + desk.later(MINUTE)
        return out

    def test_it_is_told_once_as_flapping_and_when_it_has_been_quiet(self, desk: Desk) -> None:
        assert self.flaps(desk, 3).count("firing chat errors") == 3
        assert self.flaps(desk, 6) == ["firing chat errors"]
        assert "It flaps" in desk.messages()[-1].notes[0]
        assert desk.later(14 * MINUTE - SECOND) == []
        assert desk.later(SECOND) == ["resolved chat errors"]
        assert desk.live() == 0

    def test_afterwards_it_is_told_as_before(self, desk: Desk) -> None:
        self.flaps(desk, 6)
        desk.later(2 * HOUR)
        assert self.flaps(desk, 1) == ["firing chat errors", "resolved chat errors"]

    def test_what_is_too_brief_to_be_told_is_told_when_it_flaps(self, desk: Desk) -> None:
        out = []
        for _ in range(5):
            alert = firing(at=desk.now)
            out += desk.hears(alert, resolved(alert, SECOND)) + desk.later(MINUTE)
        assert out == ["firing chat errors"]

    def test_why_the_others_were_not_told_is_known(self, desk: Desk) -> None:
        self.flaps(desk, 4)
        alert = firing(at=desk.now)
        desk.hears(alert, resolved(alert, MINUTE))
        desk.later(HOUR)
        assert desk.changes(alert)[-1].detail.startswith("it flaps")
