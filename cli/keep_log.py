"""Keeps the log within its bound, and never trims what a job may still have to read."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from cli.job_reading import look
from cli.job_start import DATA, OF_POINTS, OF_USER_TAGS, Reading
from contracts.settings import Settings, Topic
from infra import log_holds, log_size, topics
from infra.flink_cluster import DeployBusy, FlinkCluster, deploy_lock
from jobs.starts import STARTS_BY_BLOCKS

HOUR: Final = 3600.0

log = structlog.get_logger()


class KeepLog:
    """To be called again and again, as each call learns what the restore points need that came since the last.

    `kafka.log_bytes` bounds the topic of the user tags, `kafka.points_bytes` that of the points. Trimmed is only what
    lies below all of these: what the retained restore points had read, what every pipeline has read, and the blocks
    that a start without state would begin at.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        """`now` in epoch seconds."""
        self._settings, self._now = settings, now
        self._cluster = FlinkCluster(settings)
        self._held: dict[str, list[int]] = {}  # by topic, partitions not trimmed as far as wanted, as told

    def __call__(self) -> None:
        """LogError, TopicError or an error of Flink or ClickHouse when it cannot be found out or done."""
        kafka = self._settings.kafka
        bounded = [(OF_USER_TAGS, kafka.log_bytes), (OF_POINTS, kafka.points_bytes)]
        for reading, limit in bounded:
            if limit:
                try:
                    with deploy_lock(self._settings):
                        self._keep(reading, limit)
                except DeployBusy:
                    return  # restore points are coming and going: after that

    def _keep(self, reading: Reading, limit: int) -> None:
        topic = reading.topic(self._settings)
        topic_id = topics.topic_ids(self._settings).get(topic.name)
        if topic_id is None:
            return  # deleted; it is made anew by others
        holds = look(self._settings, self._cluster, DATA, reading, topic_id)
        wanted = self._wanted(topic, limit)
        if not wanted:
            return
        self._cluster.give_up(DATA.name, self._now() - self._settings.flink.restore_hours * HOUR)
        starts = STARTS_BY_BLOCKS[reading.stream](self._settings, UUID(topic_id))
        floor = log_holds.lowest([holds.floor(), starts])
        upto = {number: min(offset, floor.get(number, begin)) for number, (begin, offset) in wanted.items()}
        upto = {number: offset for number, offset in upto.items() if offset > wanted[number][0]}
        if upto:
            log_size.trim(self._settings, topic.name, upto)
            log.info("log trimmed", topic=topic.name, upto=upto)
        held = [number for number, (_, offset) in wanted.items() if offset > floor.get(number, 0)]
        self._tell_held(topic.name, held, floor)

    def _wanted(self, topic: Topic, limit: int) -> dict[int, tuple[int, int]]:
        """Of partitions over their share of the bound: where the log begins, and where it is to begin."""
        logs = log_size.describe(self._settings, topic.name)
        begins = {number: (held.begin, held.keep_from(limit // topic.partitions)) for number, held in logs.items()}
        return {number: (begin, keep) for number, (begin, keep) in begins.items() if keep > begin}

    def _tell_held(self, topic: str, held: list[int], floor: dict[int, int]) -> None:
        """Once, not at every call."""
        if held and held != self._held.get(topic):
            reads = {number: floor.get(number) for number in held}
            log.warning("a log is over its bound, and jobs may still have to read it", topic=topic, from_offsets=reads)
        self._held[topic] = held
