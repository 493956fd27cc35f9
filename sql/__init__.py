"""Every SQL statement of the platform is a file in this folder, one statement a file; this module reads them.

A file's header names its parameters; they are bound on the server as `{name:Type}`, never formatted in.
"""

from functools import cache
from importlib.resources import files


@cache
def read(name: str) -> str:
    """The statement in `sql/<name>.sql`, such as `read("queries/aggregates")`."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    """The statements of a folder by name, sorted: `["migrations/0001_user_tags", …]`."""
    entries = files(__name__).joinpath(folder).iterdir()
    return sorted(f"{folder}/{entry.name.removesuffix('.sql')}" for entry in entries if entry.name.endswith(".sql"))
