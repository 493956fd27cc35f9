"""Where settings come from: the environment and a YAML file, and what is wrong with either, said plainly."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError as UnreadableVariable

from contracts.settings import CONFIG_VARIABLE, MASK, PREFIX, Settings, SettingsError


def load(path: str | Path | None = None, **overrides: Any) -> Settings:
    """The effective settings; SettingsError lists every setting that is unknown or out of bounds.

    `overrides` are top-level settings that win over the file, not over the environment.
    """
    source = path or os.environ.get(CONFIG_VARIABLE)
    values = _read_yaml(Path(source)) if source else {}
    _refuse_unknown_variables()
    if MASK in str(values):
        raise SettingsError(f"settings file {source} holds {MASK} in place of a secret: fill it in, or leave it out")
    try:
        return Settings(**{**values, **overrides})
    except ValidationError as error:
        problems = [f"  {'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise SettingsError("\n".join(["settings are not usable:", *problems])) from None
    except UnreadableVariable as error:
        raise SettingsError(f"{error}: lists and mappings are given as JSON, such as '[\"kafka\"]'") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"settings file {path} is not UTF-8") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"settings file {path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"settings file {path} must hold a mapping of settings")
    return values


def _refuse_unknown_variables() -> None:
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            path = variable.removeprefix(PREFIX).lower().split("__")
            if not _exists(Settings, path):
                raise SettingsError(f"unknown setting in the environment: {variable} (tidewatch config lists all)")


def _exists(model: type[BaseModel], path: list[str]) -> bool:
    field = model.model_fields.get(path[0])
    if field is None or len(path) == 1:
        return field is not None
    inner = field.annotation
    return isinstance(inner, type) and issubclass(inner, BaseModel) and _exists(inner, path[1:])
