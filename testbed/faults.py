"""A plan of faults: what is killed or stopped, and when, as a pure function of the seed."""

import random
from typing import Final, Literal, NamedTuple

Action = Literal["kill", "stop"]

EVERYTHING: Final = "everything"  # every process of the stack in one sweep
SUPERVISOR: Final = "supervisor"
PYTHON_WORKER: Final = "python-worker"  # one of Flink's
API_WORKER: Final = "api-worker"  # a process that serves, of which the part `api` is the parent
PARTS: Final = ("kafka", "clickhouse", "flink-jobmanager", "flink-taskmanager")  # as the supervisor calls them
TARGETS: Final = (*PARTS, PYTHON_WORKER, API_WORKER, SUPERVISOR, EVERYTHING)

LONGEST_QUIET: Final = 8.0  # seconds; most checkpoints, flushes and timers come around within
HASTY: Final = 1 / 5  # share of the kills that do not wait until the platform has recovered from the fault before


class Fault(NamedTuple):
    """SIGKILL, or SIGSTOP for `pause` seconds, of `target`, `quiet` seconds after the platform recovered from the one
    before; of a hasty one: `quiet` seconds after that one itself."""

    action: Action
    target: str
    quiet: float
    pause: float
    hasty: bool

    def __str__(self) -> str:
        what = f"stop for {self.pause:.0f} s" if self.action == "stop" else "kill"
        since = "the fault" if self.hasty else "recovery"
        return f"{what} {self.target}, {self.quiet:.1f} s after {since} before"


def plan(seed: int, kills: int, stops: int, pause: float = 30.0, targets: tuple[str, ...] = TARGETS) -> list[Fault]:
    """So many of each, in a random order in which every target has its turn before one comes again."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    actions: list[Action] = ["kill" if number < kills else "stop" for number in range(kills + stops)]
    dice.shuffle(actions)
    turns: dict[Action, list[str]] = {"kill": _turns(dice, kills, targets), "stop": _turns(dice, stops, targets)}
    faults: list[Fault] = []
    for action in actions:
        hasty = bool(faults) and action == "kill" and dice.random() < HASTY
        quiet = dice.uniform(0.0, LONGEST_QUIET)
        faults.append(Fault(action, turns[action].pop(0), quiet, pause if action == "stop" else 0.0, hasty))
    return faults


def _turns(dice: random.Random, number: int, targets: tuple[str, ...]) -> list[str]:
    turns: list[str] = []
    while len(turns) < number:
        turns += dice.sample(targets, len(targets))
    return turns[:number]
