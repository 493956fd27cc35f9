"""The alert that nothing is judged: by the clock alone, for streams that follow it, once."""

from hypothesis import given
from hypothesis import strategies as st

from analysis.rules import blind
from analysis.rules.blind import BlindState, check, note
from contracts.alerts import Alert
from contracts.rules import BLIND
from contracts.series import Progress

LIVE = ["points"]
SECOND = 1000
NOW = 1_700_000_000_000


def moved(through: int, shard: int = 0, shards: int = 1) -> Progress:
    return Progress(shard, shards, 60_000, through, "points")


def watch(events: list[Progress | int], live: list[str] = LIVE) -> list[Alert]:
    """Progress and looks at the clock (seconds since NOW); progress comes at the clock of the look before."""
    state, clock, found = BlindState(), NOW, []
    for event in events:
        if isinstance(event, Progress):
            state = note(blind.load(state.dump()), [event], clock)
        else:
            clock = NOW + event * SECOND
            state, alerts = check(BLIND, blind.load(state.dump()), live, clock)
            found += alerts
    return found


def test_it_fires_once_when_progress_stands_still_and_is_over_when_it_goes_on() -> None:
    alerts = watch([0, moved(60_000), 60, moved(120_000), 100, 179, 180, 200, 999, moved(180_000), 1000, 1001])
    assert [(alert.status, (alert.starts_at - NOW) // SECOND) for alert in alerts] == [("firing", 60), ("resolved", 60)]
    assert alerts[0].ends_at is None
    assert alerts[1].ends_at == NOW + 1000 * SECOND
    assert alerts[0].id == alerts[1].id
    assert (alerts[0].rule, alerts[0].severity, alerts[0].labels) == ("blind", "critical", {})
    assert alerts[0].summary == "no progress since 2023-11-14T22:14:20Z, nothing is judged: points/60000/0"


def test_the_same_progress_again_is_none() -> None:
    assert len(watch([0, moved(60_000), 60, moved(60_000), 119, moved(59_000), 120])) == 1


def test_one_shard_that_stands_still_is_enough() -> None:
    events: list[Progress | int] = [0]
    for second in range(0, 300, 30):
        events += [moved(second, 0, 2), second]
    alerts = watch(events)
    assert [alert.summary.rpartition(": ")[2] for alert in alerts] == ["points/60000/1"]


def test_no_progress_at_all_is_noticed() -> None:
    assert [alert.summary.rpartition(": ")[2] for alert in watch([0, 60, 119, 120, 200])] == ["points"]


def test_streams_that_do_not_follow_the_clock_may_rest() -> None:
    assert watch([0, moved(60_000), 60, 10_000], live=[]) == []


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=30))
def test_it_fires_exactly_in_pauses_of_two_minutes(steps: list[tuple[int, bool]]) -> None:
    """Seconds go by; now and then there is progress."""
    clock, last, through, events, wanted, firing = 0, 0, 0, list[Progress | int]([0]), 0, False
    for seconds, progress in steps:
        clock += seconds
        events.append(clock)
        if not firing and clock - last >= 120:
            firing, wanted = True, wanted + 1
        if progress:
            through += 60_000
            last = clock
            events += [moved(through), clock]
            wanted += firing
            firing = False
    assert len(watch(events)) == wanted
