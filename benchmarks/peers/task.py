"""What a peer is told, and what it tells. Imports the standard library alone: each peer has an environment of its own.

Two tasks over one JSON tag a record, the record's timestamp being the tag's time in milliseconds:
`aggregate`: count and sum of prices by minute, action, origin, brand and category; the records' key names the group.
`profile`: the newest 256 views and 256 buys of each cookie; the key is the cookie.
"""

import json
import sys
from bisect import insort
from dataclasses import asdict, dataclass
from typing import Any, Final

MINUTE_MS: Final = 60_000
KEEP: Final = 256
TASKS: Final = ("aggregate", "profile")

Entry = tuple[int, str, dict[str, Any]]  # epoch milliseconds, what tells equal ones apart, the tag
Lists = dict[str, list[Any]]


@dataclass(frozen=True)
class Task:
    """`events`: how many the topic holds; `folder` is empty, for state; `run` tells consumer groups apart."""

    kind: str
    broker: str
    topic: str
    events: int
    folder: str
    run: str

    def dump(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Found:
    """A peer's answer in sums that can be checked: of all groups or profiles, how many events and which prices."""

    groups: int = 0
    events: int = 0
    price: int = 0

    def add(self, events: int, price: int) -> None:
        """One group, or one list of a profile."""
        self.groups += 1
        self.events += events
        self.price += price

    def add_list(self, tags: "list[Any]") -> None:
        """One list of a profile, of entries that end with the tag."""
        if tags:
            self.add(len(tags), sum(entry[-1]["product_info"]["price"] for entry in tags))


def read() -> Task:
    """The task of this process."""
    return Task(**json.loads(sys.argv[1]))


def tell(found: Found) -> None:
    """The answer, as the last line of the output."""
    sys.stdout.write(f"\n{json.dumps(asdict(found))}\n")
    sys.stdout.flush()


def no_lists() -> Lists:
    """The profile of a cookie that nobody has seen."""
    return {"VIEW": [], "BUY": []}


def remember(lists: Lists, time: int, place: str, tag: dict[str, Any]) -> None:
    """Adds a tag to its list, which stays ordered by time and no longer than KEEP."""
    entries = lists[tag["action"]]
    insort(entries, [time, place, tag], key=lambda entry: (entry[0], entry[1]))
    del entries[:-KEEP]
