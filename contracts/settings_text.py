"""Settings as text: YAML to look at, with secrets masked, and YAML to load again."""

import re
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import SecretStr

from contracts.settings import MASK, Settings

SECRET: Final = re.compile("secret|password|token|key", re.IGNORECASE)  # in the names of Flink's own options


def effective(settings: Settings) -> str:
    """The settings as YAML, secrets masked."""
    values = settings.model_dump(mode="json")
    options = values["flink"]["options"]
    values["flink"]["options"] = {name: MASK if SECRET.search(name) else value for name, value in options.items()}
    text: str = yaml.safe_dump(values, sort_keys=False)
    return text


def dump(settings: Settings) -> str:
    """The settings as YAML that `load` reads back to the same, secrets in clear: for files of mode 0600 only."""
    text: str = yaml.safe_dump(plain(settings.model_dump()), sort_keys=False)
    return text


def plain(value: Any) -> Any:
    """Of `model_dump` what YAML can hold."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value)
        case float() if value.is_integer():  # a default such as 1 stays an int where a file's becomes 1.0
            return int(value)
        case _:
            return value
