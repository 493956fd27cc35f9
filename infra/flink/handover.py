"""The settings in effect, as a file for processes that we start, and as a fingerprint of the job that they make."""

import hashlib
import json
from pathlib import Path
from typing import Final

from contracts.settings import Settings
from contracts.settings_text import dump, plain
from infra import state_file

JOB_SETTINGS: Final = {
    *("topics", "kafka", "clickhouse", "flink", "profiles", "jobs", "detection"),
    *("state_dir", "home", "log_level"),
}


def fingerprint(settings: Settings) -> str:
    """Equal for settings that make equal jobs."""
    values = plain(settings.model_dump(include=JOB_SETTINGS))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def write(settings: Settings, path: Path) -> Path:
    """Writes the settings in effect as YAML, secrets in clear, for this user's eyes only; returns `path`."""
    absolute = settings.model_copy(update={"home": settings.home.absolute()})
    state_file.replace(path, dump(absolute), mode=0o600)
    return path
