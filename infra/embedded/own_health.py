"""The platform's own health as points, so that rules and the detector watch it as they watch anything else.

Gauges: tidewatch_link_ready (by `link`), tidewatch_part_up (by `part`), tidewatch_lag_records and
tidewatch_freshness_seconds (by `pipeline`), tidewatch_checkpoint_age_seconds (by `job`). Counters:
tidewatch_part_restarts (by `part`), tidewatch_job_restarts and tidewatch_failed_checkpoints (by `job`),
tidewatch_dead_letter_records.
"""

import json
import time
import urllib.request
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from typing import Any, Final, NamedTuple

import structlog
from confluent_kafka import KafkaException

from contracts.settings import Settings
from infra import own_api, topic_records
from infra.flink.rest import FlinkError, Rest
from infra.flink_cluster import FlinkCluster, JobMetrics

CALL_SECONDS: Final = 5.0
Status = dict[str, Any]  # what the supervisor says at /status
log = structlog.get_logger()


class Reading(NamedTuple):
    """What was read off; of a counter the total so far."""

    name: str
    value: float
    labels: dict[str, str]
    counter: bool = False


class OwnHealth:
    """To be called every few seconds: sends what it finds to the API. What that does not take is lost, and logged."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._totals: dict[str, float] = {}

    def __call__(self) -> None:
        try:
            self._send([*of_status(self._status()), *self._of_jobs(), *self._of_letters()])
        except (OSError, HTTPException) as error:  # the API or we are about to end, or not there yet
            log.info("own health was not sent", error=str(error))

    def _status(self) -> Status:
        address = f"http://{self._settings.host}:{self._settings.supervisor.port}/status"
        with urllib.request.urlopen(address, timeout=CALL_SECONDS) as answer:  # noqa: S310  # our own, by the settings
            status: Status = json.load(answer)
        return status

    def _of_jobs(self) -> Iterator[Reading]:
        """Not by `FlinkCluster.running`, which takes notes of what it finds: a submission may be under way."""
        rest, cluster = Rest(self._settings.flink_host, self._settings.flink.port), FlinkCluster(self._settings)
        try:
            running = [job for job in rest.get("/jobs/overview")["jobs"] if job["state"] == "RUNNING"]
            for job in running:
                yield from of_job(job["name"], cluster.metrics(job["jid"], time.time()))
        except FlinkError:
            return  # that it is away is told by tidewatch_link_ready

    def _of_letters(self) -> Iterator[Reading]:
        try:
            records = topic_records.written(self._settings, self._settings.topics.dead_letters)
        except KafkaException:
            return
        yield Reading("tidewatch_dead_letter_records", records, {}, counter=True)

    def _send(self, found: Iterable[Reading]) -> None:
        lines = b"".join(json.dumps(point).encode() + b"\n" for point in as_points(found, self._totals))
        own_api.post(self._settings, "/v1/points", lines, CALL_SECONDS)


def of_status(status: Status) -> Iterator[Reading]:
    """Of the supervisor's parts and steps, and of how far the pipelines are behind."""
    for link in status["links"]:
        yield Reading("tidewatch_link_ready", float(link["ready"]), {"link": link["name"]})
        if link["kind"] == "part":
            yield Reading("tidewatch_part_up", float(link["pid"] is not None), {"part": link["name"]})
            yield Reading("tidewatch_part_restarts", link["restarts"], {"part": link["name"]}, counter=True)
    for pipeline, records in status["lag"].items():
        yield Reading("tidewatch_lag_records", records, {"pipeline": pipeline})
    for pipeline, seconds in status["freshness"].items():
        yield Reading("tidewatch_freshness_seconds", seconds, {"pipeline": pipeline})


def of_job(job: str, metrics: JobMetrics) -> Iterator[Reading]:
    """Of a job that runs."""
    labels = {"job": job}
    if metrics.checkpoint_age is not None:
        yield Reading("tidewatch_checkpoint_age_seconds", metrics.checkpoint_age, labels)
    yield Reading("tidewatch_failed_checkpoints", metrics.failed, labels, counter=True)
    yield Reading("tidewatch_job_restarts", metrics.restarts, labels, counter=True)


def as_points(found: Iterable[Reading], totals: dict[str, float]) -> Iterator[dict[str, Any]]:
    """As the API takes them; `totals` remembers counters, of which the growth is sent: from the second look on, and
    all of the total when it began anew."""
    for one in found:
        value = one.value
        if one.counter:
            key = f"{one.name} {sorted(one.labels.items())}"
            before, totals[key] = totals.get(key), one.value
            if before is None:
                continue
            value = one.value - before if one.value >= before else one.value
        kind = "counter" if one.counter else "gauge"
        yield {"name": one.name, "value": value, "kind": kind, "labels": one.labels}
