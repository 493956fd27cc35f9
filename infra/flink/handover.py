"""The settings in effect, as a file for the process that builds a job's graph, and as a fingerprint."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import SecretStr

from contracts.settings import Settings

JOB_SETTINGS: Final = {"topics", "kafka", "clickhouse", "flink", "profiles", "jobs", "state_dir", "home", "log_level"}


def fingerprint(settings: Settings) -> str:
    """Equal for settings that make equal jobs."""
    values = _plain(settings.model_dump(include=JOB_SETTINGS))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def write(settings: Settings, path: Path) -> Path:
    """Writes the settings in effect as YAML, secrets in clear, for this user's eyes only; returns `path`."""
    values = {**_plain(settings.model_dump()), "home": str(settings.home.absolute())}
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yaml.safe_dump(values, file)
    return path


def _plain(value: Any) -> Any:
    """Of `model_dump` what YAML can hold."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value)
        case float() if value.is_integer():  # a default such as 1 stays an int where a file's becomes 1.0
            return int(value)
        case _:
            return value
