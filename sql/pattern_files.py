"""The patterns of `sql/patterns/`: each file a MATCH_RECOGNIZE statement, its header what it reads and how far back."""

import re
from functools import cache
from typing import Final, NamedTuple

import sql

FOLDER: Final = "patterns"
_MILLISECONDS: Final = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
_OVER: Final = re.compile(r"^-- over: (\w+)$", re.MULTILINE)
_BACK: Final = re.compile(r"^-- back: (\d+) (second|minute|hour)s?$", re.MULTILINE)


class BadPattern(ValueError):
    """A file that is no pattern; the message names it and what is missing."""


class PatternFile(NamedTuple):
    """`over`: the view that the statement reads. `back_ms`: the longest that a match may reach back."""

    name: str
    over: str
    back_ms: int
    statement: str


@cache
def read_all() -> tuple[PatternFile, ...]:
    """All patterns, by name."""
    return tuple(parse(name.removeprefix(f"{FOLDER}/"), sql.read(name)) for name in sql.names(FOLDER))


def parse(name: str, text: str) -> PatternFile:
    """The pattern in a file's text; BadPattern when its header lacks a line."""
    over, back = _OVER.search(text), _BACK.search(text)
    if over is None or back is None:
        raise BadPattern(f"sql/patterns/{name}.sql needs the lines `-- over: VIEW` and `-- back: N minutes`")
    return PatternFile(name, over[1], int(back[1]) * _MILLISECONDS[back[2]], text)
