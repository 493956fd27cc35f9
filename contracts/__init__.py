"""What crosses between parts: events, the batch codec, names, settings. Imports nothing of ours."""

from typing import Final

VERSION: Final = "0.1.0"  # of the platform; pyproject.toml says the same
