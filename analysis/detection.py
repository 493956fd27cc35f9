"""What a detector is: state and a batch of points in, state and scores out. No clock, no input or output.

A detector is a module of `analysis/detectors/` with a `detector` of protocol `Detector`; adding one touches nothing
else.
"""

import importlib
import pkgutil
from io import BytesIO
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis import detectors

DEFAULT: Final = "twintail"
HEADS_A_PAGE: Final = 64
SLOTS_A_PAGE: Final = 512

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class UnknownDetector(Exception):
    """The message names those that there are."""


class ForeignState(Exception):
    """Saved state is not of this detector, or of another version of it."""


class Points(NamedTuple):
    """Points of any of the state's series, those of one series in order of time.

    `series`: whose, as an index into the state. `times`: epoch milliseconds of the bins' begin. `values`: nan says that
    nothing is known of a bin. `phases`: the same instants by the clock on the wall of those whose days the series
    follow; `times` itself where that is UTC.
    """

    series: Ints
    times: Ints
    values: Floats
    phases: Ints

    def take(self, places: Ints | NDArray[np.bool_]) -> "Points":
        """Those at `places`, or where `places` is true."""
        return Points(self.series[places], self.times[places], self.values[places], self.phases[places])


class Scores(NamedTuple):
    """One of each a point; nan where there was nothing to say: no value, or a time not after the series' newest.

    `score` is compared with a threshold: at or above it a point is an anomaly. `expected` with `lower` and `upper` is
    what was foreseen before the point was seen; nan where the detector foresees nothing. `channel` says which of the
    detector's channels the score is of, by its index in `channels`.
    """

    score: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    channel: NDArray[np.uint8]

    @staticmethod
    def nothing(count: int) -> "Scores":
        score, expected, lower, upper = np.full((4, count), np.nan)
        return Scores(score, expected, lower, upper, np.zeros(count, np.uint8))

    def take(self, places: Ints) -> "Scores":
        """Those at `places`, in that order."""
        score, expected, lower, upper = (column[places] for column in self[:4])
        return Scores(score, expected, lower, upper, self.channel[places])


class State(NamedTuple):
    """What a detector remembers, as two arrays of records.

    `heads` (series): what each point of a series rewrites. `slots` (slots, series): what belongs to a time of the day
    or the week; a point rewrites the few of its own time, and those of all series lie side by side.
    """

    heads: NDArray[Any]
    slots: NDArray[Any]

    def resized(self, series: int) -> "State":
        """With room for so many series; new ones know nothing."""
        heads = np.zeros(series, self.heads.dtype)
        slots = np.zeros((len(self.slots), series), self.slots.dtype)
        kept = min(series, len(self.heads))
        heads[:kept], slots[:, :kept] = self.heads[:kept], self.slots[:, :kept]
        return State(heads, slots)

    def dump(self) -> bytes:
        """All of it, in numpy's own format, which names the fields."""
        buffer = BytesIO()
        np.save(buffer, self.heads, allow_pickle=False)
        np.save(buffer, self.slots, allow_pickle=False)
        return buffer.getvalue()

    def load(self, data: bytes) -> "State":
        """What was dumped by the same detector; ForeignState when it is not of the kind that `self` is."""
        buffer = BytesIO(data)
        try:
            found = State(np.load(buffer, allow_pickle=False), np.load(buffer, allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise ForeignState(f"not a detector's state: {error}") from None
        same = found.heads.dtype == self.heads.dtype and found.slots.dtype == self.slots.dtype
        if not same or len(found.slots) != len(self.slots):
            raise ForeignState("the state was saved by another detector, or by another version of it")
        return found

    def pages(self, points: Points, rows: Ints) -> dict[str, bytes]:
        """What changed when `points` were scored: of heads, and of these `rows` of slots (`Detector.rows`), the pages
        that hold the points' series."""
        changed = {}
        for page in np.unique(points.series // HEADS_A_PAGE).tolist():
            changed[f"heads/{page}"] = self.heads[page * HEADS_A_PAGE : (page + 1) * HEADS_A_PAGE].tobytes()
        for page in np.unique(points.series // SLOTS_A_PAGE).tolist():
            for row in rows.tolist():
                slots = self.slots[row, page * SLOTS_A_PAGE : (page + 1) * SLOTS_A_PAGE]
                changed[f"slots/{row}/{page}"] = slots.tobytes()
        return changed

    def with_pages(self, pages: dict[str, bytes]) -> "State":
        """`self` with the saved pages in place, larger when these hold more series; ForeignState when none of it."""
        series = len(self.heads)
        for name, data in pages.items():
            kind, *numbers = name.split("/")
            size, width = (
                (HEADS_A_PAGE, self.heads.itemsize) if kind == "heads" else (SLOTS_A_PAGE, self.slots.itemsize)
            )
            series = max(series, int(numbers[-1]) * size + len(data) // width)
        state = self.resized(series)
        for name, data in pages.items():
            kind, *numbers = name.split("/")
            try:
                if kind == "heads":
                    _put(state.heads[int(numbers[0]) * HEADS_A_PAGE :], data)
                else:
                    row, page = map(int, numbers)
                    _put(state.slots[row, page * SLOTS_A_PAGE :], data)
            except (ValueError, IndexError):
                raise ForeignState(f"page {name} was saved by another detector, or another version of it") from None
        return state


def _put(place: NDArray[Any], data: bytes) -> None:
    """Into the beginning of `place`; ValueError when it does not fit."""
    records = np.frombuffer(data, place.dtype)
    place[: len(records)] = records


class Detector(Protocol):
    """`threshold`: the score from which on a point is an anomaly unless the user says otherwise."""

    channels: tuple[str, ...]

    @property
    def threshold(self) -> float: ...

    def at(self, threshold: float) -> "Detector":
        """The same with another threshold; the band's edges are where a score reaches it."""
        ...

    def start(self, series: int) -> State:
        """The state of so many series of which nothing was seen."""
        ...

    def score(self, state: State, points: Points) -> tuple[State, Scores]:
        """Scores each point by what was known before it, then learns from it.

        The state that goes in is used up: it may be changed in place, and only what comes out may be used on.
        """
        ...

    def rows(self, points: Points) -> Ints:
        """The rows of `State.slots` that these points rewrite."""
        ...


class Seedable(Detector, Protocol):
    """A detector to which a history teaches more than its points would one by one."""

    def seed(self, state: State, history: Points) -> State:
        """What is known of new series once their histories were seen; each has points of its own in `history`."""
        ...


def names() -> list[str]:
    """Of all detectors."""
    return sorted(module.name for module in pkgutil.iter_modules(detectors.__path__))


def find(name: str) -> Detector:
    """The detector of that name, at its defaults; UnknownDetector."""
    if name not in names():
        raise UnknownDetector(f"no detector {name!r}; there are {', '.join(names())}")
    found: Detector = importlib.import_module(f"analysis.detectors.{name}").detector
    return found
