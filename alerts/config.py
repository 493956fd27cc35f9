"""The file of routes (`alerts/routes.yml`): who is told of what, when, and how. Read once, checked as a whole."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from alerts import notifiers
from alerts.fields import Duration, LocalTime, MatcherText, Zone, milliseconds
from alerts.receiver import Receiver
from contracts.settings import Section

_GROUP_INTERVAL = milliseconds("5m")
_REPEAT_INTERVAL = milliseconds("4h")


class ConfigError(Exception):
    """The file cannot be used; the message lists each field with what is wrong."""


def _receiver(given: Any) -> Receiver:
    if isinstance(given, Receiver):
        return given
    if not isinstance(given, dict) or given.get("kind") not in notifiers.kinds():
        raise ValueError(f"needs a `kind`, one of {', '.join(notifiers.kinds())}")
    options = {name: value for name, value in given.items() if name != "kind"}
    try:
        return notifiers.kinds()[given["kind"]](**options)
    except ValidationError as error:  # its own text would show what was given, secrets too
        raise ValueError("; ".join(_problems(error))) from None


class Route(Section):
    """Alerts that fulfil all `match` go to `receivers`, grouped by the labels of `group_by` (`...`: each by itself).

    A new group waits `group_wait` for others before it is told, then `group_interval` between what is new in it, and is
    told again after `repeat_interval` as long as nobody acknowledges. With `continue` later routes are asked, too.
    """

    name: str = Field(min_length=1, max_length=256)
    match: list[MatcherText] = []
    receivers: list[str] = []
    group_by: list[str] = ["rule"]
    group_wait: Duration = milliseconds("5s")
    group_interval: Duration = _GROUP_INTERVAL
    repeat_interval: Duration = _REPEAT_INTERVAL
    escalation: str | None = None
    goes_on: bool = Field(default=False, alias="continue")

    @model_validator(mode="after")
    def _tells_somebody(self) -> "Route":
        if not self.receivers and self.escalation is None:
            raise ValueError("needs `receivers` or an `escalation`")
        return self


class Inhibition(Section):
    """While an alert that fulfils `source` fires, those of `target` with equal labels `equal` are not told."""

    source: list[MatcherText] = Field(min_length=1)
    target: list[MatcherText] = Field(min_length=1)
    equal: list[str] = []


class Step(Section):
    """So long after the first telling `notify` are told: receivers, people, or who is on call for a schedule."""

    after: Duration
    notify: list[str] = Field(min_length=1)


class Escalation(Section):
    """Steps until somebody acknowledges; all of them `rounds` times, `pause` between a round's end and the next."""

    steps: list[Step] = Field(min_length=1)
    rounds: int = Field(default=1, ge=1, le=100)
    pause: Duration = milliseconds("10m")

    @model_validator(mode="after")
    def _in_order(self) -> "Escalation":
        after = [step.after for step in self.steps]
        if after != sorted(after):
            raise ValueError("the steps' `after` must not go down")
        return self


class Override(Section):
    """`person` is on call instead, from `begin` to `end`."""

    person: str
    begin: LocalTime
    end: LocalTime


class Schedule(Section):
    """`people` take turns of `days`, the first from `starts` on; by the local clock, at that time of day."""

    time_zone: Zone
    people: list[str] = Field(min_length=1)
    starts: LocalTime
    days: int = Field(default=7, ge=1, le=366)
    overrides: list[Override] = []  # of two at once the later in the list holds


class Flapping(Section):
    """What began `incidents` times `within` flaps: it is told once more, and then when it was quiet for `quiet`."""

    incidents: int = Field(default=4, ge=2)
    within: Duration = milliseconds("1h")
    quiet: Duration = milliseconds("15m")


class Config(Section):
    """Names of receivers, people and schedules are one set, as escalations name any of them."""

    receivers: dict[str, Annotated[Receiver, BeforeValidator(_receiver)]] = Field(min_length=1)
    people: dict[str, list[str]] = {}
    schedules: dict[str, Schedule] = {}
    escalations: dict[str, Escalation] = {}
    routes: list[Route] = Field(min_length=1)
    inhibitions: list[Inhibition] = []
    flapping: Flapping = Flapping()

    @model_validator(mode="after")
    def _names_are_known(self) -> "Config":
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        yield from _doubled("route", [route.name for route in self.routes])
        yield from _doubled("receiver, person or schedule", [*self.receivers, *self.people, *self.schedules])
        tellable = {*self.receivers, *self.people, *self.schedules}
        for route in self.routes:
            yield from _unknown(f"route {route.name}: receiver", route.receivers, self.receivers)
            yield from _unknown(f"route {route.name}: escalation", filter(None, [route.escalation]), self.escalations)
        for person, receivers in self.people.items():
            yield from _unknown(f"person {person}: receiver", receivers, self.receivers)
        for name, schedule in self.schedules.items():
            people = [*schedule.people, *(override.person for override in schedule.overrides)]
            yield from _unknown(f"schedule {name}: person", people, self.people)
        for name, escalation in self.escalations.items():
            notified = [one for step in escalation.steps for one in step.notify]
            yield from _unknown(f"escalation {name}: receiver, person or schedule", notified, dict.fromkeys(tellable))
        if self.routes[-1].match:
            yield "the last route must match everything, so that nothing is lost: leave its `match` away"


def _unknown(what: str, names: Any, known: Mapping[str, object]) -> Iterator[str]:
    return (f"{what} {name!r} is not defined" for name in names if name not in known)


def _doubled(what: str, names: list[str]) -> Iterator[str]:
    return (f"{what} {name!r} is defined twice" for name in sorted({name for name in names if names.count(name) > 1}))


def load(path: Path) -> Config:
    """ConfigError when the file cannot be read or used; secrets are not in its message."""
    try:
        return parse(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"{path} is not usable:\n{error}") from None


def parse(document: Any) -> Config:
    """Of what YAML held; ConfigError."""
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError("\n".join(f"  {problem}" for problem in _problems(error))) from None


def _problems(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()]


def local(schedule: Schedule, moment: datetime) -> int:
    """Epoch milliseconds of a time by the schedule's clock; of two such times, when clocks go back, the first."""
    return int(moment.replace(tzinfo=schedule.time_zone).timestamp() * 1000)
