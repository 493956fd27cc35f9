"""The settings in effect, as a file for the process that builds a job's graph, and as a fingerprint."""

import hashlib
import json
import os
from pathlib import Path
from typing import Final

import yaml

from contracts.settings import Settings
from contracts.settings_text import plain

JOB_SETTINGS: Final = {"topics", "kafka", "clickhouse", "flink", "profiles", "jobs", "state_dir", "home", "log_level"}


def fingerprint(settings: Settings) -> str:
    """Equal for settings that make equal jobs."""
    values = plain(settings.model_dump(include=JOB_SETTINGS))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def write(settings: Settings, path: Path) -> Path:
    """Writes the settings in effect as YAML, secrets in clear, for this user's eyes only; returns `path`."""
    values = {**plain(settings.model_dump()), "home": str(settings.home.absolute())}
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yaml.safe_dump(values, file)
    return path
