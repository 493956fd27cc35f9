"""Which exceptions are for people, and what they read."""

from pathlib import Path
from typing import Final

# An exception class of our own rooms carries a message that says what to do: that is what such classes are for here.
ROOMS: Final = {path.name for path in Path(__file__).parent.parent.iterdir() if (path / "__init__.py").exists()}
# Of others' libraries: whose message it is, and the next step.
OTHERS: Final = {
    "clickhouse_connect": "ClickHouse refused: see `tidewatch status` and `tidewatch logs clickhouse`",
    "confluent_kafka": "Kafka refused: see `tidewatch status` and `tidewatch logs kafka`",
    "cimpl": "Kafka refused: see `tidewatch status` and `tidewatch logs kafka`",
}


def explain(error: Exception) -> str | None:
    """The text to show for an error that was foreseen; None for a defect."""
    room = type(error).__module__.partition(".")[0]
    if room in ROOMS:
        return str(error)
    if room in OTHERS:
        return f"{error}\n{OTHERS[room]}"
    return None
