"""Every SQL statement of the platform is a file in this folder, one statement a file; this module reads them.

A file's header names its parameters; they are bound on the server as `{name:Type}`, never formatted in.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

# What `series_*.sql` say of labels to group by.
_LABELS: Final = "arrayMap(key -> named.labels[key], {group_by:Array(String)})"
_JOIN: Final = re.compile(r"^INNER JOIN \(SELECT id, labels FROM point_series FINAL .*\n", re.MULTILINE)


@cache
def read(name: str) -> str:
    """The statement in `sql/<name>.sql`, such as `read("queries/aggregates")`."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def read_ungrouped(name: str) -> str:
    """The statement in `sql/<name>.sql` without the labels that it groups by, nor the join that finds them: ClickHouse
    takes 10 ms to plan that, more than to read the rows."""
    return _JOIN.sub("", read(name).replace(_LABELS, "emptyArrayString()"))


def names(folder: str) -> list[str]:
    """The statements of a folder by name, sorted: `["migrations/0001_user_tags", …]`."""
    entries = files(__name__).joinpath(folder).iterdir()
    return sorted(f"{folder}/{entry.name.removesuffix('.sql')}" for entry in entries if entry.name.endswith(".sql"))
