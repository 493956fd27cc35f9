"""The traffic: pure in seed and index, with the contract's shape and cardinalities."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from contracts.tags import decode_tag, encode_tag, event_time
from testbed.generator import START_MS, Traffic
from testbed.oracle import epoch_ms
from testbed.vocabulary import BRANDS, CATEGORIES, COUNTRIES, DEVICES, ORIGINS


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 100_000_000), min_size=1, max_size=5))
def test_a_tag_depends_on_seed_and_index_alone(seed: int, indices: list[int]) -> None:
    one, other = Traffic(seed), Traffic(seed)
    tags = [one.tag(index) for index in indices]
    assert tags == [other.tag(index) for index in reversed(indices)][::-1]
    for index, tag in zip(indices, tags, strict=True):
        assert decode_tag(encode_tag(tag)) == tag
        assert one.cookie_of(index) == tag.cookie
        assert event_time(tag) == epoch_ms(tag.time) == START_MS + index == one.time(index)


def test_the_first_tag_of_a_seed_stays_what_it_was() -> None:
    """Recorded runs are known by their seed."""
    assert encode_tag(Traffic(7).tag(0)).decode() == (
        '{"time":"2022-03-01T00:00:00Z","cookie":"uce6f5fYqokEncZHCRWd","country":"MN","device":"MOBILE",'
        '"action":"VIEW","origin":"CAMPAIGN_365","product_info":{"product_id":18514,"brand_id":"Benos",'
        '"category_id":"Laptops","price":73125}}'
    )


def test_cardinalities_are_those_of_the_contract() -> None:
    vocabularies: list[tuple[str, ...]] = [COUNTRIES, DEVICES, ORIGINS, BRANDS, CATEGORIES]
    sizes = [len(set(values)) for values in vocabularies]
    assert sizes == [100, 3, 1000, 250, 67]
    traffic = Traffic(1)
    tags = [traffic.tag(index) for index in range(60_000)]
    seen: list[set[str]] = [
        {tag.country for tag in tags},
        {tag.device for tag in tags},
        {tag.origin for tag in tags},
        {tag.product_info.brand_id for tag in tags},
        {tag.product_info.category_id for tag in tags},
    ]
    assert [len(values) for values in seen] == sizes
    assert 0.88 < sum(tag.action == "VIEW" for tag in tags) / len(tags) < 0.92
    assert {type(tag.product_info.product_id) for tag in tags} == {int, str}
    assert 0 in {tag.product_info.product_id for tag in tags}
    assert max(tag.product_info.price for tag in tags) > 2**31 - 2000


def test_whole_seconds_have_no_fraction() -> None:
    traffic = Traffic(1)
    assert traffic.tag(1000).time == "2022-03-01T00:00:01Z"
    assert traffic.tag(1001).time == "2022-03-01T00:00:01.001Z"


def test_some_cookies_outgrow_a_list_and_none_gets_fifty_in_ten_seconds() -> None:
    traffic = Traffic(3)
    cookies = [traffic.tag(index).cookie for index in range(300_000)]
    busiest, number = Counter(cookies).most_common(1)[0]
    assert busiest == traffic.cookie(0)
    assert 240 < number < 600
    for begin in range(0, len(cookies), 10_000):
        assert Counter(cookies[begin : begin + 10_000]).most_common(1)[0][1] < 50


def test_seeds_have_cookies_of_their_own() -> None:
    one, other = ({Traffic(seed, cookies=1000).cookie(index) for index in range(1000)} for seed in (1, 2))
    assert len(one) == len(other) == 1000
    assert not one & other
