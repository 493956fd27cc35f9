"""The protocol document's own example, through the whole stack."""

import json

from contracts.tags import decode_tag
from tests.e2e.world import World, wait_until

TAG = {
    "time": "2022-03-01T00:00:00.649Z",
    "cookie": "9WkYGxkiXBfpMIjBGURC",
    "country": "CL",
    "device": "MOBILE",
    "action": "VIEW",
    "origin": "CAMPAIGN_321",
    "product_info": {"product_id": 12486, "brand_id": "Ebros_Gift", "category_id": "Trousers", "price": 28969},
}
RANGE = "time_range=2022-03-01T00:00:00.649_2022-03-01T00:00:00.650"


def test_a_tag_goes_in_and_comes_out_as_the_document_shows(world: World) -> None:
    body = json.dumps(TAG).encode()
    answer = world.call("POST", "/user_tags", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (204, b"")
    world.oracle.add(decode_tag(body))

    profile = {"cookie": TAG["cookie"], "views": [TAG], "buys": []}
    sums = {
        "columns": ["1m_bucket", "action", "brand_id", "sum_price", "count"],
        "rows": [
            ["2022-03-01T00:00:00", "VIEW", "Ebros_Gift", "28969", "1"],
            ["2022-03-01T00:01:00", "VIEW", "Ebros_Gift", "0", "0"],
        ],
    }
    minutes = "time_range=2022-03-01T00:00:00_2022-03-01T00:02:00"
    aggregates = "&aggregates=SUM_PRICE&aggregates=COUNT"
    for target, expected in (
        (f"/user_profiles/{TAG['cookie']}?{RANGE}&limit=200", profile),
        (f"/aggregates?{minutes}&action=VIEW{aggregates}&brand_id=Ebros_Gift", sums),
    ):
        _comes(world, "POST", target, b"", expected)
        _comes(world, "POST", target, json.dumps(expected).encode(), expected)  # debug mode
        _comes(world, "GET", target, b"", expected)


def test_an_unknown_cookie_has_two_empty_lists(world: World) -> None:
    answer = world.call("POST", f"/user_profiles/nobody?{RANGE}")
    assert (answer.status, answer.body) == (200, b'{"cookie":"nobody","views":[],"buys":[]}')


def _comes(world: World, method: str, target: str, body: bytes, expected: object) -> None:
    def wrong() -> object:
        answer = world.call(method, target, body)
        right = answer.status == 200 and answer.headers["content-type"] == "application/json"
        return None if right and json.dumps(answer.json()) == json.dumps(expected) else answer

    wait_until(wrong)
