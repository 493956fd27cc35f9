"""Series as promtool's unit tests write them.

`1 2 3` are three bins; `5x3` is 5 and three more of it; `1+2x3` is 1 3 5 7, `9-2x2` is 9 7 5; `_` is a bin without
data, `_x3` are three of them. (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/)
"""

import re
from collections.abc import Iterator
from typing import Final

_NUMBER: Final = r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
_ITEM: Final = re.compile(rf"({_NUMBER})(?:([+-])({_NUMBER}))?(?:x([0-9]+))?|_(?:x([0-9]+))?")
MOST: Final = 1_000_000  # values of one series


def expand(text: str) -> list[float | None]:
    """A value a bin, None where there is none; ValueError names the piece that is wrong."""
    values = [value for piece in text.split() for value in _expand(piece)]
    if len(values) > MOST:
        raise ValueError(f"more than {MOST} values")
    return values


def _expand(piece: str) -> Iterator[float | None]:
    found = _ITEM.fullmatch(piece)
    if found is None or (found[2] and found[4] is None):
        raise ValueError(f"{piece!r} is none of 5, 5x3, 1+2x3, 9-2x2, _ and _x3")
    if int(found[4] or found[5] or 0) > MOST:
        raise ValueError(f"{piece!r}: more than {MOST} values")
    if found[1] is None:
        yield from [None] * int(found[5] or 1)
        return
    step = float(found[3] or 0) * (-1 if found[2] == "-" else 1)
    for number in range(int(found[4] or 0) + 1):
        yield float(found[1]) + number * step
