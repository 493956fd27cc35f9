"""The platform's own health as points: what is read off, and that counters are sent as their growth."""

from typing import Any

from contracts.names import OWN_METRICS
from infra.embedded.own_health import Reading, as_points, of_job, of_status
from infra.flink_cluster import JobMetrics

STATUS: dict[str, Any] = {
    "links": [
        {"name": "kafka", "kind": "part", "ready": True, "pid": 7, "restarts": 2},
        {"name": "jobs", "kind": "step", "ready": False},
    ],
    "lag": {"metrics": 12},
    "freshness": {"metrics": 3.5},
}


def named(found: list[Reading]) -> dict[str, float]:
    return {f"{one.name}{one.labels}": one.value for one in found}


def test_the_status_is_read() -> None:
    assert named(list(of_status(STATUS))) == {
        "tidewatch_link_ready{'link': 'kafka'}": 1.0,
        "tidewatch_link_ready{'link': 'jobs'}": 0.0,
        "tidewatch_part_up{'part': 'kafka'}": 1.0,
        "tidewatch_part_restarts{'part': 'kafka'}": 2,
        "tidewatch_lag_records{'pipeline': 'metrics'}": 12,
        "tidewatch_freshness_seconds{'pipeline': 'metrics'}": 3.5,
    }


def test_what_is_read_off_is_known_as_the_platforms_own() -> None:
    found = [*of_status(STATUS), *of_job("data", JobMetrics("RUNNING", 1, 0, 3, 9.0, None, None))]
    assert {one.name for one in found} | {"tidewatch_dead_letter_records"} == set(OWN_METRICS)


def test_a_job_without_a_checkpoint_yet_has_no_age() -> None:
    metrics = JobMetrics("RUNNING", 1, 0, 3, None, None, None)
    assert named(list(of_job("data", metrics))) == {
        "tidewatch_failed_checkpoints{'job': 'data'}": 3,
        "tidewatch_job_restarts{'job': 'data'}": 1,
    }


def test_a_counter_is_sent_as_its_growth() -> None:
    totals: dict[str, float] = {}

    def sent(*values: float) -> list[float]:
        found = [Reading("n", value, {"part": str(part)}, counter=True) for part, value in enumerate(values)]
        return [point["value"] for point in as_points(found, totals)]

    assert sent(5, 7) == []
    assert sent(6, 7) == [1, 0]
    assert sent(2, 9) == [2, 2], "began anew"


def test_a_gauge_is_sent_as_it_is() -> None:
    point = {"name": "g", "value": 3.5, "kind": "gauge", "labels": {"a": "b"}}
    assert list(as_points([Reading("g", 3.5, {"a": "b"})], {})) == [point]
