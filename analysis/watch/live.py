"""Which series there are: each has a number, by which its state is found, and a life."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np

from analysis.detection import HEADS_A_PAGE, Ints
from contracts.names import CANARY_METRIC, OWN_METRICS
from contracts.series import Bin

Key = tuple[str, tuple[tuple[str, str], ...]]  # metric, labels sorted by name
Names = list[tuple[str, dict[str, str]]]  # metric and labels, a page of them

# Times in milliseconds: the begins of the first bin that was seen and of the last that had events; and whether the
# history before `first` has been asked for; and whether it is counted, so that no events are zero, not nothing.
LIFE: Final = np.dtype([("first", np.int64), ("last", np.int64), ("asked", np.bool_), ("counted", np.bool_)])
KNOWN_SERIES: Final = 100_000  # whose hash is remembered
OWN_ROOM: Final = 256  # more than `most`, for series of the platform's own health
_decoder: Final = msgspec.msgpack.Decoder(Names)


def key_of(metric: str, labels: dict[str, str]) -> Key:
    """The same for the same labels in another order."""
    return metric, tuple(sorted(labels.items()))


@lru_cache(KNOWN_SERIES)
def series_id(key: Key) -> int:
    """64 bits that name a series in the table `scored_bins`."""
    return int.from_bytes(blake2b(msgspec.json.encode(key), digest_size=8).digest(), "little")


def is_counted(one: Bin) -> bool:
    """Whether this bin shows that its series is counted: the user tags are; of a metric it shows when the value of
    several events is their sum, and not their mean."""
    if not one.values:
        return True
    total = one.values["sum"]
    return one.count > 1 and one.value == total != 0


class Live:
    """The series by number, 0, 1, 2…; at most `most`, and a few of the platform's own: the bins of those beyond are
    `refused`.

    `pages` of a former one, by name, bring it back.
    """

    def __init__(self, most: int, pages: dict[str, bytes]) -> None:
        self._most = most
        self.refused = 0
        self.names: Names = []
        for _, data in _in_order(pages, "names"):
            self.names += _decoder.decode(data)
        self._lives = np.zeros(len(self.names), LIFE)
        for number, data in _in_order(pages, "lives"):
            found = np.frombuffer(data, LIFE)
            self._lives[number * HEADS_A_PAGE :][: len(found)] = found
        self._numbers = {key_of(*name): number for number, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def number(self, one: Bin) -> int | None:
        """Of the bin's series, which may be new; None when there is no room for another."""
        key = key_of(one.metric, one.labels)
        number = self._numbers.get(key)
        if number is None:
            if not self._has_room(one):
                self.refused += 1
                return None
            number = self._numbers[key] = len(self)
            self.names.append((one.metric, dict(key[1])))
            if number >= len(self._lives):
                self._lives = np.concatenate([self._lives, np.zeros(max(HEADS_A_PAGE, number // 4), LIFE)])
            self._lives["first"][number] = one.start
        self._lives["first"][number] = min(one.start, self._lives["first"][number])
        self._lives["counted"][number] |= is_counted(one)
        return number

    def _has_room(self, one: Bin) -> bool:
        if one.metric == CANARY_METRIC and not one.labels:
            return True
        return len(self) < self._most + (OWN_ROOM if one.metric in OWN_METRICS else 0)

    def first(self, number: int) -> int:
        """The begin of the first bin that was seen of the series."""
        return int(self._lives["first"][number])

    def seen(self, numbers: list[int], start: int) -> None:
        """These had events in the bin that begins at `start`."""
        self._lives["last"][numbers] = start

    def at(self, start: int, forget: int) -> Ints:
        """The numbers of those that have a value in the bin that begins at `start`: events, or, for those that are
        counted, seen by then and with events within `forget` milliseconds."""
        lives = self._lives[: len(self)]
        quiet = lives["counted"] & (lives["first"] <= start) & (start - lives["last"] <= forget)
        return np.flatnonzero((lives["last"] == start) | quiet)

    def unasked(self, count: int) -> list[int]:
        """Some series whose histories were not asked for yet."""
        found: list[int] = np.flatnonzero(~self._lives["asked"][: len(self)])[:count].tolist()
        return found

    def asked(self, numbers: Ints) -> None:
        """The histories of these have been asked for."""
        self._lives["asked"][numbers] = True

    def ask_again(self) -> None:
        """For all histories."""
        self._lives["asked"] = False

    def pages(self, numbers: Ints, named: int) -> dict[str, bytes]:
        """What has changed: of the lives of `numbers`, and of names from the number `named` on."""
        changed = {}
        for page in np.unique(numbers // HEADS_A_PAGE).tolist():
            lives = self._lives[: len(self)][page * HEADS_A_PAGE : (page + 1) * HEADS_A_PAGE]
            changed[f"lives/{page}"] = lives.tobytes()
        if named < len(self):
            for page in range(named // HEADS_A_PAGE, (len(self) - 1) // HEADS_A_PAGE + 1):
                names = self.names[page * HEADS_A_PAGE : (page + 1) * HEADS_A_PAGE]
                changed[f"names/{page}"] = msgspec.msgpack.encode(names)
        return changed


def _in_order(pages: dict[str, bytes], kind: str) -> list[tuple[int, bytes]]:
    found = ((name.split("/"), data) for name, data in pages.items())
    return sorted((int(name[1]), data) for name, data in found if name[0] == kind)
