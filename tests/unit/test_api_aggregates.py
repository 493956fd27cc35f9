"""The shape of the answer to an aggregates query, and what its parameters mean."""

from analysis.aggregates import AggregatesQuery, MinuteSums, answer
from api.routes.aggregates import parse
from contracts.times import MINUTE_MS, parse_instant

FIVE = parse_instant("2022-03-01T00:05:00Z")


def test_the_contracts_example() -> None:
    query = AggregatesQuery(FIVE, FIVE + 2 * MINUTE_MS, "BUY", {"brand_id": "Nike"}, ["SUM_PRICE", "COUNT"])
    sums = {FIVE: MinuteSums(3, 1000), FIVE + MINUTE_MS: MinuteSums(4, 1500)}
    assert answer(query, sums) == (
        ["1m_bucket", "action", "brand_id", "sum_price", "count"],
        [["2022-03-01T00:05:00", "BUY", "Nike", "1000", "3"], ["2022-03-01T00:06:00", "BUY", "Nike", "1500", "4"]],
    )


def test_minutes_without_events_are_zero_and_sums_need_64_bits() -> None:
    query = AggregatesQuery(FIVE - MINUTE_MS, FIVE + 2 * MINUTE_MS, "VIEW", {}, ["COUNT", "SUM_PRICE"])
    found = answer(query, {FIVE: MinuteSums(2, 2**62)})
    assert found.columns == ["1m_bucket", "action", "count", "sum_price"]
    assert found.rows == [
        ["2022-03-01T00:04:00", "VIEW", "0", "0"],
        ["2022-03-01T00:05:00", "VIEW", "2", str(2**62)],
        ["2022-03-01T00:06:00", "VIEW", "0", "0"],
    ]


def test_filters_come_in_the_contracts_order_whatever_the_querys() -> None:
    text = "category_id=c&aggregates=COUNT&brand_id=b%26&action=BUY&origin=o&time_range="
    query = parse(f"{text}2022-03-01T00:05:00_2022-03-01T00:06:00.000".encode(), 10)
    assert (query.begin, query.end, query.minutes) == (FIVE, FIVE + MINUTE_MS, 1)
    found = answer(query, {})
    assert found.columns == ["1m_bucket", "action", "origin", "brand_id", "category_id", "count"]
    assert found.rows == [["2022-03-01T00:05:00", "BUY", "o", "b&", "c", "0"]]


def test_an_empty_range_has_no_rows() -> None:
    query = parse(b"time_range=2022-03-01T00:05:00_2022-03-01T00:05:00&action=BUY&aggregates=COUNT", 10)
    assert answer(query, {}).rows == []
