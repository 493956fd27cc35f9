"""Rules: which series are watched for what; a struct a kind. `docs/rules.md` says what each field means."""

import re
from functools import lru_cache
from typing import Annotated, Final, Literal, Union, cast

import msgspec
from msgspec import Meta

from contracts.alerts import Kind, Severity
from contracts.names import CANARY_METRIC, PATTERN_METRIC
from contracts.selectors import Selector, Strict
from contracts.series import USER_TAG_METRICS
from contracts.times import MINUTE_MS

SCORE: Final = 5.0  # from which on an anomaly is told, where nothing else is said
SHORTEST_BIN_MS: Final = 10_000  # of the bins on topic `series`

_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART: Final = re.compile("([0-9]+)(ms|s|m|h|d)")

Duration = Annotated[str, Meta(pattern="^([0-9]+(ms|s|m|h|d))+$", description="such as 90s, 5m, 1h30m")]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=128)]
LabelName = Annotated[str, Meta(min_length=1, max_length=256)]
Stat = Literal["value", "count", "sum", "min", "max", "mean", "last"]
Combine = Literal["sum", "mean", "min", "max"]
Quiet = Literal["auto", "zero", "gap"]


@lru_cache(maxsize=1024)
def milliseconds(duration: str) -> int:
    """Of a text such as `1h30m`."""
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


class Ratio(Strict, frozen=True, kw_only=True):
    """new / max(old, 1), where `new` and `old` are two values of `label`."""

    label: LabelName
    new: str
    old: str

    def __post_init__(self) -> None:
        if self.new == self.old:
            raise ValueError("new and old are the same")


class Window(Strict, frozen=True, kw_only=True):
    """Both windows must burn the budget `factor` times as fast as the objective allows: the long one says that it
    matters, the short one that it still goes on."""

    long: Duration
    short: Duration
    factor: Annotated[float, Meta(gt=0)]

    def __post_init__(self) -> None:
        if not 0 < milliseconds(self.short) <= milliseconds(self.long):
            raise ValueError("short must be above 0 and at most long")


# Google's SRE workbook, chapter 5: a page for 2 % of 30 days' budget in an hour, or 5 % in six.
WINDOWS: Final = (Window(long="1h", short="5m", factor=14.4), Window(long="6h", short="30m", factor=6.0))


class Common(Strict, frozen=True, kw_only=True, tag_field="kind"):
    """What every rule has. Its kind is its class."""

    name: Name
    severity: Severity = "warning"
    labels: dict[LabelName, str] = {}  # added to those of the alert
    summary: str = ""  # template; empty: the kind's own
    runbook: str = ""
    link: str = ""  # template
    for_: Duration = msgspec.field(default="0s", name="for")  # so long it must hold before the alert fires
    keep_firing_for: Duration = "0s"  # so long it must be over before the alert is resolved
    forget: Duration = "1d"  # after so long without data, what was known of the series is dropped
    bin: Duration = "1m"

    @property
    def kind(self) -> Kind:
        return cast(Kind, self.__struct_config__.tag)

    @property
    def bin_ms(self) -> int:
        """The length of a bin that is judged."""
        return milliseconds(self.bin)

    @property
    def source_ms(self) -> int:
        """The resolution of the bins on topic `series` of which the judged ones are made."""
        return MINUTE_MS if self.bin_ms % MINUTE_MS == 0 else SHORTEST_BIN_MS

    def __post_init__(self) -> None:
        if self.bin_ms <= 0 or self.bin_ms % SHORTEST_BIN_MS:
            raise ValueError(f"bin must be a multiple of 10s: {self.bin}")
        if milliseconds(self.forget) < self.bin_ms:
            raise ValueError(f"forget must be at least one bin: {self.forget}")
        every = {selector.metric for selector in selectors(self)}
        metrics = every & set(USER_TAG_METRICS)
        if metrics and metrics != every:
            raise ValueError("series of user tags and others cannot be put together: each has a progress of its own")
        if metrics and self.source_ms != MINUTE_MS:
            raise ValueError(f"{min(metrics)} has bins of a minute only: set bin to 1m or a multiple of it")


class OverSeries(Common, frozen=True, kw_only=True):
    """Rules that judge a number a bin: `stat` of the bins, several of them combined when `by` puts series together."""

    select: Selector
    by: tuple[LabelName, ...] | None = None  # None: each series by itself
    stat: Stat = "value"
    combine: Combine = "sum"
    quiet: Quiet = "auto"  # what a bin without data is


class Threshold(OverSeries, frozen=True, kw_only=True, tag="threshold"):
    """The value lies above, or below, a limit; over when it is back at `recovery`."""

    above: float | None = None
    below: float | None = None
    recovery: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below")
        if self.recovery is not None and not self._is_inside(self.recovery):
            raise ValueError("recovery must lie on the good side of the limit")

    def _is_inside(self, value: float) -> bool:
        return value <= self.above if self.above is not None else value >= cast(float, self.below)


class MeanThreshold(OverSeries, frozen=True, kw_only=True, tag="mean_threshold"):
    """The mean of the last `bins` bins, of a value or a ratio, is at or above `threshold`; over below `recovery`."""

    bin: Duration = "10s"
    bins: Annotated[int, Meta(ge=1, le=10_000)] = 5
    threshold: float = 1.25
    recovery: float | None = None
    ratio: Ratio | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recovery is not None and self.recovery > self.threshold:
            raise ValueError("recovery must not be above threshold")


class Anomaly(Common, frozen=True, kw_only=True, tag="anomaly"):
    """The detector's score is at or above `score`: -log10 of how probable a bin as odd as this was."""

    select: Selector
    score: Annotated[float, Meta(gt=0)] = SCORE
    direction: Literal["spike", "drop", "both"] = "both"
    min_deviation: Annotated[float, Meta(ge=0)] = 0.0  # from what was expected, in the unit of the value
    keep_firing_for: Duration = "5m"


class Absent(Common, frozen=True, kw_only=True, tag="absent"):
    """No bin with anything in it for `for`, of any series of the source that `by` names."""

    select: Selector
    by: tuple[LabelName, ...] | None = None
    expect: tuple[dict[str, str], ...] = ()  # sources that must send although none was ever seen: their labels
    for_: Duration = msgspec.field(default="5m", name="for")
    forget: Duration = "7d"

    def __post_init__(self) -> None:
        super().__post_init__()
        for labels in self.expect:
            if self.by is None or set(labels) != set(self.by):
                raise ValueError("a source of expect must have the labels of by")


class BurnRate(Common, frozen=True, kw_only=True, tag="burn_rate"):
    """The error budget of an objective is used up too fast in one of the pairs of windows."""

    bad: Selector
    total: Selector
    objective: Annotated[float, Meta(gt=0, lt=1)]
    by: tuple[LabelName, ...] = ()
    windows: Annotated[tuple[Window, ...], Meta(min_length=1)] = WINDOWS

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths = [milliseconds(length) for window in self.windows for length in (window.short, window.long)]
        if any(length % self.bin_ms for length in lengths):
            raise ValueError(f"windows must be multiples of bin ({self.bin})")


class Pattern(Common, frozen=True, kw_only=True, tag="pattern"):
    """A pattern of `sql/patterns/` was found."""

    pattern: Name
    keep_firing_for: Duration = "10m"


class Blind(Common, frozen=True, kw_only=True, tag="blind"):
    """The progress of a live stream stands still: nothing can be judged."""

    severity: Severity = "critical"
    after: Duration = "2m"


Rule = Union[Threshold, MeanThreshold, Anomaly, Absent, BurnRate, Pattern, Blind]  # noqa: UP007  # msgspec wants it so


def selectors(rule: Common) -> list[Selector]:
    """Of all series that the rule reads."""
    match rule:
        case BurnRate():
            return [rule.bad, rule.total]
        case OverSeries() | Anomaly() | Absent():
            return [rule.select]
        case Pattern():
            return [Selector(metric=PATTERN_METRIC, match=(f'pattern="{rule.pattern}"',))]
        case _:
            return []


BLIND: Final = Blind(name="blind")  # in force unless the rules have one of their own
# Always in force, whatever is applied: fires in the bin of a canary, and is over in the next. Its name is reserved.
CANARY: Final = Threshold(
    name="canary",
    severity="info",
    select=Selector(metric=CANARY_METRIC, label_names=()),
    bin="10s",
    above=0,
    quiet="zero",
    summary="a canary came through; nobody is told",
)
