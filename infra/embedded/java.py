"""The Java runtime and the folders of jars that the set-up fetched."""

import os
import shutil
from pathlib import Path

from contracts.settings import Settings
from infra.embedded.part import PartError


def java() -> str:
    """The `java` program of JAVA_HOME, else of PATH; PartError when there is none."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise PartError("no java found: install a JDK 17 or newer (make setup does), or set JAVA_HOME")
    return found


def jars(settings: Settings, tool: str) -> list[Path]:
    """The jars of `kafka` or `flink`, sorted; PartError when the set-up has not fetched them."""
    folder = settings.tools_path / tool
    found = sorted(folder.glob("*.jar"))
    if not found:
        raise PartError(f"no jars in {folder}: run `make setup`, or set tools_dir to where they are")
    return found


def classpath(settings: Settings, tool: str) -> str:
    """The jars of `kafka` or `flink` as java's option wants them; PartError as for `jars`."""
    return ":".join(map(str, jars(settings, tool)))
