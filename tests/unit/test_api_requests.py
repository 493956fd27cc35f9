"""What the API refuses, and how: none of it needs another part, and none is there."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from analysis.profiles import ProfileEvent, ProfileUpdate
from contracts.settings import Api, Kafka, Profiles, Settings
from stores.profiles_lmdb import LmdbProfiles
from tests.unit.asgi_calls import Answer, Caller, with_app

# Nothing listens on port 1.
NOWHERE = Kafka(bootstrap_servers="127.0.0.1:1")
TAG: dict[str, Any] = {
    "time": "2022-03-01T00:00:00.649Z",
    "cookie": "9WkYGxkiXBfpMIjBGURC",
    "country": "CL",
    "device": "MOBILE",
    "action": "VIEW",
    "origin": "CAMPAIGN_321",
    "product_info": {"product_id": 12486, "brand_id": "Ebros_Gift", "category_id": "Trousers", "price": 28969},
}
RANGE = "2022-03-01T00:05:00_2022-03-01T00:07:00"


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """Settings of an API with nothing around it, which notices within half a second."""
    api = Api(breaker_seconds=0.2, delivery_timeout_seconds=0.5, query_seconds=1)
    return Settings(state_dir=tmp_path, kafka=NOWHERE, api=api)


def ask(settings: Settings, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
    async def calls(call: Caller) -> Answer:
        return await call(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return with_app(settings, calls)


def changed(**fields: Any) -> bytes:
    product = {name: fields.pop(name) for name in list(fields) if name in TAG["product_info"]}
    return json.dumps({**TAG, **fields, "product_info": {**TAG["product_info"], **product}}).encode()


def assert_problem(answer: Answer, status: int, field: str | None = None) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == status
    assert document["type"].startswith("urn:tidewatch:problem:")
    assert document["title"]
    assert document["detail"]
    if field is not None:
        assert document.get("field", "") == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"[]", ""),
        (b"\xff\xfe", ""),
        (b"{" * 60_000, ""),
        (changed(time="yesterday"), "time"),
        (changed(time="2022-03-01T00:00:00"), "time"),
        (changed(time="2999-01-01T00:00:00Z"), "time"),
        (changed(time=-1), "time"),
        (changed(time=1.5), "time"),
        (changed(cookie=""), "cookie"),
        (changed(cookie="x" * 257), "cookie"),
        (changed(device="FRIDGE"), "device"),
        (changed(action="view"), "action"),
        (changed(price=2**31), "product_info.price"),
        (changed(price="12"), "product_info.price"),
        (changed(product_id=None), "product_info.product_id"),
        (changed(product_id=2**63), "product_info.product_id"),
    ],
)
def test_a_wrong_tag_is_400_with_its_field(alone: Settings, body: bytes, field: str) -> None:
    assert_problem(ask(alone, "POST", "/user_tags", body), 400, field)


def test_a_body_too_large_is_413(alone: Settings) -> None:
    assert_problem(ask(alone, "POST", "/user_tags", b" " * 100_000), 413)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "time_range"),
        (f"time_range={RANGE}", "action"),
        (f"time_range={RANGE}&action=BUY", "aggregates"),
        (f"time_range={RANGE}&action=BUY&aggregates=count", "aggregates"),
        (f"time_range={RANGE}&action=BUY&aggregates=COUNT&aggregates=COUNT", "aggregates"),
        (f"time_range={RANGE}&action=LOOK&aggregates=COUNT", "action"),
        (f"time_range={RANGE}&action=BUY&action=VIEW&aggregates=COUNT", "action"),
        (f"time_range={RANGE}&action=BUY&aggregates=COUNT&brand=Nike", "brand"),
        (f"time_range={RANGE}&action=BUY&aggregates=COUNT&brand_id=", "brand_id"),
        (f"time_range={RANGE}&action=BUY&aggregates=COUNT&origin={'x' * 257}", "origin"),
        ("time_range=2022-03-01T00:05:00&action=BUY&aggregates=COUNT", "time_range"),
        ("time_range=2022-03-01T00:05:01_2022-03-01T00:06:00&action=BUY&aggregates=COUNT", "time_range"),
        ("time_range=2022-03-01T00:05:00.001_2022-03-01T00:06:00&action=BUY&aggregates=COUNT", "time_range"),
        ("time_range=2022-03-01T00:06:00_2022-03-01T00:05:00&action=BUY&aggregates=COUNT", "time_range"),
        ("time_range=2022-03-01T00:00:00_2022-03-03T00:00:00&action=BUY&aggregates=COUNT", "time_range"),
        ("time_range=2022-03-01T00:05:00Z_2022-03-01T00:06:00Z&action=BUY&aggregates=COUNT", "time_range"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_aggregates_query_is_400_with_its_parameter(
    alone: Settings, method: str, query: str, field: str
) -> None:
    assert_problem(ask(alone, method, f"/aggregates?{query}"), 400, field)


def test_aggregates_without_clickhouse_are_503(alone: Settings) -> None:
    answer = ask(alone, "POST", f"/aggregates?time_range={RANGE}&action=BUY&aggregates=COUNT")
    assert_problem(answer, 503)
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A3", "limit"),  # an Arabic digit
        ("limit=1&limit=2", "limit"),
        ("time_range=now", "time_range"),
        ("from=1", "from"),
    ],
)
def test_a_wrong_profile_query_is_400_with_its_parameter(alone: Settings, query: str, field: str) -> None:
    assert_problem(ask(alone, "POST", f"/user_profiles/abc?{query}"), 400, field)


def test_a_profile_without_a_store_is_503_and_not_empty(alone: Settings) -> None:
    assert_problem(ask(alone, "POST", f"/user_profiles/abc?time_range={RANGE}"), 503)


def test_a_profile_needs_a_cookie(alone: Settings) -> None:
    assert_problem(ask(alone, "POST", "/user_profiles/"), 400, "cookie")
    assert_problem(ask(alone, "POST", "/user_profiles/%ff"), 400, "cookie")


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"", "identity", 400),
        (b"{}\n\n[]", "identity", 400),
        (b"no gzip", "gzip", 400),
        (b"no zstd", "zstd", 400),
        (b"", "br", 415),
    ],
)
def test_a_bulk_body_without_a_good_line_is_refused(alone: Settings, body: bytes, encoding: str, status: int) -> None:
    assert_problem(ask(alone, "POST", "/v1/user-tags", body, content_encoding=encoding), status)


@pytest.mark.parametrize("path", ["/", "/nope", "/user_tags/", "/static/x", "/user_profiles"])
def test_an_unknown_path_is_404(alone: Settings, path: str) -> None:
    assert_problem(ask(alone, "GET", path), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/user_tags"), ("DELETE", "/aggregates"), ("PUT", "/user_profiles/abc")]
)
def test_a_wrong_method_is_405_and_says_which_are_right(alone: Settings, method: str, path: str) -> None:
    answer = ask(alone, method, path)
    assert_problem(answer, 405)
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/user_tags", "/aggregates", "/user_profiles/abc", "/healthz"])
def test_options_lists_the_methods(alone: Settings, path: str) -> None:
    answer = ask(alone, "OPTIONS", path)
    assert answer.status in (200, 204)
    assert "OPTIONS" in answer.headers["allow"]


def test_health_needs_no_other_part_and_head_has_no_body(alone: Settings) -> None:
    assert ask(alone, "GET", "/healthz").json == {"healthy": True}
    assert ask(alone, "HEAD", "/healthz").body == b""


def test_readiness_names_what_is_broken(alone: Settings) -> None:
    answer = ask(alone, "GET", "/readyz")
    assert answer.status == 503
    assert answer.json["broken"] == ["kafka", "clickhouse", "profiles"]
    links = answer.json["links"]
    assert links.pop("disk") is None
    assert all(links.values())


def test_metrics_count_answers_by_few_routes(alone: Settings) -> None:
    async def calls(call: Caller) -> str:
        await call("POST", "/user_tags", b"{}")
        await call("GET", "/surprise")
        return (await call("GET", "/metrics")).body.decode()

    text = with_app(alone, calls)
    assert 'tidewatch_api_requests_total{route="/user_tags",status="400"}' in text
    assert 'route="other",status="404"' in text
    assert "surprise" not in text


def test_without_a_broker_tags_are_503_soon_and_then_at_once(alone: Settings) -> None:
    async def calls(call: Caller) -> list[Answer]:
        return [await call("POST", "/user_tags", changed()) for _ in range(3)]

    # Long enough that the breaker, which is looked at from time to time, is open by then.
    patient = alone.model_copy(update={"api": alone.api.model_copy(update={"delivery_timeout_seconds": 2.0})})
    answers = with_app(patient, calls)
    for answer in answers:
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
    assert "did not acknowledge" in answers[0].json["detail"]  # after the delivery timeout
    assert "refused until it does" in answers[1].json["detail"]  # by the breaker
    assert "refused until it does" in answers[2].json["detail"]


def test_a_full_buffer_is_503_at_once(alone: Settings) -> None:
    full = alone.model_copy(update={"api": alone.api.model_copy(update={"buffer_bytes": 100})})
    answer = ask(full, "POST", "/user_tags", changed())
    assert_problem(answer, 503)
    assert "too many events wait" in answer.json["detail"]


TOKEN = "a-token"  # noqa: S105  # a test's


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer", "Bearer żółw"])
@pytest.mark.parametrize("path", ["/user_tags", "/aggregates", "/user_profiles/abc", "/metrics", "/nope"])
def test_with_tokens_a_request_without_one_is_401(alone: Settings, path: str, given: str) -> None:
    answer = ask(with_token(alone), "POST", path, authorization=given)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_with_tokens_a_request_with_one_passes_and_probes_need_none(alone: Settings) -> None:
    settings = with_token(alone)
    assert ask(settings, "GET", "/metrics", authorization=f"Bearer {TOKEN}").status == 200
    assert ask(settings, "GET", "/healthz").status == 200
    assert ask(settings, "GET", "/readyz").status == 503


def with_token(settings: Settings) -> Settings:
    tokens = [SecretStr("other"), SecretStr(TOKEN)]
    return settings.model_copy(update={"api": settings.api.model_copy(update={"tokens": tokens})})


def test_profiles_are_answered_from_their_stored_bytes(alone: Settings) -> None:
    cookie = "a/b ż?"
    view = ProfileEvent(1_646_092_800_649, b"%018d" % 1, b'{"time":"2022-03-01T00:00:00.649Z","price":1}')
    late = ProfileEvent(1_646_092_800_654, b"%018d" % 2, b'{"time":"2022-03-01T00:00:00.654Z","price":2}')
    store = LmdbProfiles(alone.profiles_path, Profiles(), writable=True)
    store.update({cookie: ProfileUpdate([view, late], [view])})
    store.close()
    path = "/user_profiles/a%2Fb%20%C5%BC%3F"
    answer = ask(alone, "POST", f"{path}?time_range=2022-03-01T00:00:00.649_2022-03-01T00:00:00.654", b"expected")
    assert answer.body == b'{"cookie":"a/b \xc5\xbc?","views":[%s],"buys":[%s]}' % (view.json, view.json)
    assert ask(alone, "GET", f"{path}?limit=1").json["views"] == [json.loads(late.json)]
    assert ask(alone, "GET", f"{path}?limit=0").json["views"] == []
    unknown = ask(alone, "POST", f"/user_profiles/nobody?time_range={RANGE}&limit=200")
    assert unknown.body == b'{"cookie":"nobody","views":[],"buys":[]}'
