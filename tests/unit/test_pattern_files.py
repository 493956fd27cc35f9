"""The patterns of `sql/patterns/`: what their headers say."""

import pytest

from sql import pattern_files
from sql.pattern_files import BadPattern, parse


def test_a_file_says_what_it_reads_and_how_far_back() -> None:
    pattern = parse("one", "-- What it finds.\n-- over: minutes\n-- back: 15 minutes\nSELECT 1")
    assert (pattern.name, pattern.over, pattern.back_ms) == ("one", "minutes", 900_000)
    assert pattern.statement.endswith("SELECT 1")


@pytest.mark.parametrize("text", ["SELECT 1", "-- over: minutes\nSELECT 1", "-- over: m\n-- back: long\nSELECT 1"])
def test_a_file_without_its_header_is_named(text: str) -> None:
    with pytest.raises(BadPattern, match="sql/patterns/odd.sql needs the lines"):
        parse("odd", text)


def test_the_shipped_ones_are_patterns_and_within_what_they_say() -> None:
    names = [pattern.name for pattern in pattern_files.read_all()]
    assert names == ["checkout_broken", "errors_then_silence", "fast_buyer", "price_jump"]
    assert all("MATCH_RECOGNIZE" in pattern.statement for pattern in pattern_files.read_all())
