"""The oracle accepts each answer that some choice among the uncertain events explains, and no other."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.tags import ProductInfo, UserTag, encode_tag
from contracts.times import format_millis, parse_instant
from testbed.oracle import NEVER, Oracle, epoch_ms
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery, bucket

NOON = 1_646_136_000_000  # 2022-03-01T12:00:00Z
BOTH = ("COUNT", "SUM_PRICE")


def tag(
    time: int, price: int = 100, action: Any = "VIEW", cookie: str = "c", brand: str = "Nike", **other: Any
) -> UserTag:
    text = format_millis(time) + "Z"
    product = ProductInfo(other.pop("product_id", 7), brand, other.pop("category", "Hats"), price)
    return UserTag(text, cookie, "PL", "PC", action, other.pop("origin", "CAMPAIGN_1"), product)


def profile(views: list[UserTag], buys: list[UserTag], cookie: str = "c") -> bytes:
    lists = [b",".join(encode_tag(one) for one in tags) for tags in (views, buys)]
    return b'{"cookie":"%b","views":[%b],"buys":[%b]}' % (cookie.encode(), *lists)


def table(query: AggregateQuery, values: list[tuple[int, int]]) -> bytes:
    rows = [
        [
            bucket(query.begin + at * MINUTE_MS),
            query.action,
            *(value for _, value in query.filters()),
            str(count),
            str(total),
        ]
        for at, (count, total) in enumerate(values)
    ]
    names = [name for name, _ in query.filters()]
    return json.dumps({"columns": ["1m_bucket", "action", *names, "count", "sum_price"], "rows": rows}).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-03-01T12:00:00Z", NOON),
        ("2022-03-01T12:00:00.5Z", NOON + 500),
        ("2022-03-01T12:00:00.1239Z", NOON + 123),
        ("2022-03-01T14:00:00+02:00", NOON),
        ("2022-03-01T10:30:00-01:30", NOON),
        (NOON, NOON),
    ],
)
def test_times_are_instants(text: str | int, expected: int) -> None:
    assert epoch_ms(text) == expected
    assert isinstance(text, int) or parse_instant(text) == expected


def test_newest_first_with_limit_after_the_filter() -> None:
    oracle = Oracle()
    tags = [tag(NOON + at) for at in range(5)]
    for one in tags:
        oracle.add(one)
    query = ProfileQuery("c", NOON + 1, NOON + 4, 2)
    assert oracle.check_profile(query, profile([tags[3], tags[2]], [])) is None
    for wrong in ([tags[2], tags[3]], [tags[3]], [tags[3], tags[2], tags[1]], [tags[4], tags[3]], [tags[3], tags[3]]):
        difference = oracle.check_profile(query, profile(wrong, []))
        assert difference is not None
        assert "limit=2" in difference.request
    assert oracle.check_profile(query, profile([], [tags[3], tags[2]])) is not None
    assert oracle.check_profile(query, profile([tags[3], tags[2]], [], "d")) is not None
    assert oracle.check_profile(query._replace(limit=0), profile([], [])) is None


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"cookie":"c","views":[],"buys":[],"more":1}', b"\xff"])
def test_malformed_answers_are_wrong(answer: bytes) -> None:
    assert Oracle().check_profile(ProfileQuery("c", NOON, NOON + 1), answer) is not None
    assert Oracle().check_aggregates(AggregateQuery(NOON, NOON + MINUTE_MS, "BUY", BOTH), answer) is not None


def test_what_came_in_must_come_back_as_it_was() -> None:
    oracle = Oracle()
    oracle.add(tag(NOON, product_id="7"))
    query = ProfileQuery("c", NOON, NOON + 1)
    assert oracle.check_profile(query, profile([tag(NOON, product_id="7")], [])) is None
    assert oracle.check_profile(query, profile([tag(NOON, product_id=7)], [])) is not None
    spaced = json.dumps(json.loads(profile([tag(NOON, product_id="7")], [])), indent=1).encode()
    assert oracle.check_profile(query, spaced) is None


def test_equal_times_come_in_any_order_and_any_choice_at_the_limit() -> None:
    oracle = Oracle()
    tags = [tag(NOON, price) for price in range(3)]
    for one in tags:
        oracle.add(one)
    query = ProfileQuery("c", NOON, NOON + 1, 2)
    for first, second in ((0, 1), (1, 0), (2, 1)):
        assert oracle.check_profile(query, profile([tags[first], tags[second]], [])) is None


def test_an_unacknowledged_tag_may_be_there_and_an_acknowledged_one_must_after_ten_seconds() -> None:
    oracle = Oracle()
    one = tag(NOON, 42)
    number = oracle.send(one)
    profiles, sums = ProfileQuery("c", NOON, NOON + 1), AggregateQuery(NOON, NOON + MINUTE_MS, "VIEW", BOTH)
    for asked in (5.0, 1000.0, NEVER):
        for there in (True, False):
            assert oracle.check_profile(profiles, profile([one] if there else [], []), asked) is None
            assert oracle.check_aggregates(sums, table(sums, [(1, 42) if there else (0, 0)]), asked) is None
        assert oracle.check_aggregates(sums, table(sums, [(1, 41)]), asked) is not None
    assert oracle.unacknowledged() == 1
    oracle.acknowledge(number, 100.0)
    assert oracle.check_profile(profiles, profile([], []), 109.0) is None
    assert oracle.check_profile(profiles, profile([], []), 110.5) is not None
    assert oracle.check_aggregates(sums, table(sums, [(0, 0)]), 109.0) is None
    assert oracle.check_aggregates(sums, table(sums, [(0, 0)]), 110.5) is not None


def test_aggregates_are_strings_in_the_order_asked_with_zero_minutes() -> None:
    oracle = Oracle()
    for one in (
        tag(NOON, 2**31 - 1),
        tag(NOON + 1, 2**31 - 1),
        tag(NOON + MINUTE_MS, 5, "BUY"),
        tag(NOON, 9, brand="Y"),
    ):
        oracle.add(one)
    query = AggregateQuery(NOON - MINUTE_MS, NOON + 2 * MINUTE_MS, "VIEW", ("SUM_PRICE", "COUNT"), brand_id="Nike")
    rows = [
        ["2022-03-01T11:59:00", "VIEW", "Nike", "0", "0"],
        ["2022-03-01T12:00:00", "VIEW", "Nike", "4294967294", "2"],
        ["2022-03-01T12:01:00", "VIEW", "Nike", "0", "0"],
    ]
    right = {"columns": ["1m_bucket", "action", "brand_id", "sum_price", "count"], "rows": rows}
    assert oracle.check_aggregates(query, json.dumps(right).encode()) is None
    numbers = json.dumps(right).replace('"2"]', "2]").encode()
    swapped = json.dumps(right).replace('"sum_price", "count"', '"count", "sum_price"').encode()
    for wrong in (numbers, swapped, json.dumps(right | {"rows": rows[:2]}).encode()):
        assert oracle.check_aggregates(query, wrong) is not None


def test_a_profile_that_256_kept_tags_cannot_answer_is_not_judgeable() -> None:
    oracle = Oracle()
    for at in range(300):
        oracle.add(tag(NOON + at))
    assert oracle.judgeable(ProfileQuery("c", NOON, NOON + 300))
    assert oracle.judgeable(ProfileQuery("c", NOON, NOON + 244))
    assert not oracle.judgeable(ProfileQuery("c", NOON, NOON + 243))
    assert oracle.judgeable(ProfileQuery("c", NOON, NOON + 243, 199))


EVENTS = st.lists(
    st.builds(
        lambda at, price, action, brand, certain: (tag(NOON + at, price, action, brand=brand), certain),
        st.integers(0, 3 * MINUTE_MS // 10_000).map(lambda step: step * 10_000),
        st.integers(-3, 3),
        st.sampled_from(["VIEW", "BUY"]),
        st.sampled_from(["Nike", "Adidas"]),
        st.booleans(),
    ),
    max_size=25,
)


@given(EVENTS, st.randoms(use_true_random=False), st.integers(0, 6), st.sampled_from([None, "Nike", "Puma"]))
def test_any_choice_of_the_uncertain_is_right_and_any_change_of_it_is_wrong(
    events: list[tuple[UserTag, bool]], chance: random.Random, limit: int, brand: str | None
) -> None:
    oracle = Oracle()
    for one, certain in events:
        oracle.add(one) if certain else oracle.send(one)
    there = [one for one, certain in events if certain or chance.random() < 0.5]
    begin, end = NOON + chance.randrange(0, 100_000), NOON + chance.randrange(100_000, 200_000)
    chance.shuffle(there)
    newest = sorted(there, key=lambda one: -epoch_ms(one.time))
    newest = [one for one in newest if begin <= epoch_ms(one.time) < end]
    views, buys = ([one for one in newest if one.action == action][:limit] for action in ("VIEW", "BUY"))
    query = ProfileQuery("c", begin, end, limit)
    assert oracle.check_profile(query, profile(views, buys)) is None
    if all(certain for _, certain in events) and views:
        assert oracle.check_profile(query, profile(views[1:], buys)) is not None
        assert oracle.check_profile(query, profile([*views, tag(NOON - 1)], buys)) is not None

    sums = AggregateQuery(NOON - MINUTE_MS, NOON + 3 * MINUTE_MS, "BUY", BOTH, brand_id=brand)
    values = []
    for minute in range(sums.begin, sums.end, MINUTE_MS):
        within = [one for one in there if one.action == "BUY" and brand in (None, one.product_info.brand_id)]
        prices = [one.product_info.price for one in within if minute <= epoch_ms(one.time) < minute + MINUTE_MS]
        values.append((len(prices), sum(prices)))
    assert oracle.check_aggregates(sums, table(sums, values)) is None
    values[1] = (values[1][0], values[1][1] + 100)
    assert oracle.check_aggregates(sums, table(sums, values)) is not None


def test_many_uncertain_prices_are_bounded() -> None:
    oracle = Oracle()
    for at in range(100):
        oracle.send(tag(NOON + at, at))
    query = AggregateQuery(NOON, NOON + MINUTE_MS, "VIEW", BOTH)
    assert oracle.check_aggregates(query, table(query, [(2, 100)])) is None
    assert oracle.check_aggregates(query, table(query, [(2, 198)])) is not None
    assert oracle.check_aggregates(query, table(query, [(101, 4950)])) is not None


def test_query_targets_are_percent_encoded() -> None:
    assert ProfileQuery("a/b?ü", NOON, NOON + 5).target() == (
        "/user_profiles/a%2Fb%3F%C3%BC?time_range=2022-03-01T12%3A00%3A00_2022-03-01T12%3A00%3A00.005&limit=200"
    )
    query = AggregateQuery(NOON, NOON + MINUTE_MS, "BUY", BOTH, brand_id="A & B")
    assert query.target() == (
        "/aggregates?time_range=2022-03-01T12%3A00%3A00_2022-03-01T12%3A01%3A00&action=BUY"
        "&aggregates=COUNT&aggregates=SUM_PRICE&brand_id=A+%26+B"
    )
