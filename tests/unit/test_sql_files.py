"""Statements of charts, with labels to group by and without."""

import pytest

import sql

CHARTS = [name for name in sql.names("queries") if name.startswith("queries/series_")]
OTHERS = ("queries/series_of_metrics", "queries/series_user_tags")  # no chart; its labels are columns


@pytest.mark.parametrize("name", sorted({*CHARTS} - {*OTHERS}))
def test_a_chart_without_labels_joins_nothing(name: str) -> None:
    whole, ungrouped = sql.read(name), sql.read_ungrouped(name)
    statement = "\n".join(line for line in ungrouped.splitlines() if not line.startswith("--"))
    assert "JOIN" in whole
    assert "JOIN" not in statement
    assert "named" not in statement
    assert "group_by" not in statement
    assert statement.count("label_values") == whole.count("label_values")


def test_all_charts_are_looked_at() -> None:
    assert len(CHARTS) == len(OTHERS) + 5
