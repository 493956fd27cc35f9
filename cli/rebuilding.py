"""What `tidewatch rebuild` does, by what is made anew."""

import time
from datetime import datetime, timezone
from typing import Final, NamedTuple
from uuid import UUID

from clickhouse_connect.driver.client import Client
from confluent_kafka import Message
from rich.progress import Progress, track

from analysis.profile_updates import updates_of
from contracts.codec import Record, decode
from contracts.names import EVENT_TIME_HEADER, USER_TAGS_TABLE
from contracts.settings import Settings
from contracts.times import clamp, event_time
from infra import log_records, log_start, topics
from jobs.archive import archive_rows
from stores import archive
from stores.profiles import ProfileStore

ARCHIVE_SECONDS: Final = 5.0  # at most, until what is counted is archived too
RETRY_SECONDS: Final = 1.0


class Refilled(NamedTuple):
    """Of one partition: the offsets that were read, `begin` up to, not including, `end`; events written; when the first
    of the records came in (epoch milliseconds, None of none)."""

    partition: int
    begin: int
    end: int
    events: int
    since: int | None

    def __str__(self) -> str:
        if self.since is None:
            return f"partition {self.partition}: the log is empty"
        since = datetime.fromtimestamp(self.since / 1000, timezone.utc)
        return (
            f"partition {self.partition}: {self.events} events from offset {self.begin} on, which came in since "
            f"{since:%Y-%m-%d %H:%M:%S} UTC" + ("; what was before is no longer in the log" if self.begin else "")
        )


def recount(client: Client, days: int, deadline: float) -> int:
    """Counts all listed blocks anew, and again those that then differ from the archive, until `deadline` (monotonic);
    how many differences remain. The archive is kept for `days`."""
    patience = min(deadline, time.monotonic() + ARCHIVE_SECONDS)
    while archive.ahead(client) and time.monotonic() < patience:
        time.sleep(RETRY_SECONDS)
    for run in track(archive.block_runs(client, days), "counting blocks"):
        archive.rebuild_aggregates(client, run)
    while (found := archive.differences(client, days)) and time.monotonic() < deadline:
        time.sleep(RETRY_SECONDS)
        for block in {(one.topic_id, one.partition, one.block) for one in found}:
            archive.rebuild_aggregates(client, archive.Run(*block, last=block[-1]))
    return len(found)


def refill_archive(settings: Settings, client: Client) -> list[Refilled]:
    """Writes to the archive what the log still holds; rows that are there already stay as they are.

    LogError or TopicError when the log cannot be read.
    """
    topic = settings.topics.user_tags.name
    topic_id = UUID(topics.topic_ids(settings)[topic])
    return [
        _refill(settings, client, topic_id, partition, begin, end)
        for partition, (begin, end) in log_start.bounds(settings, topic).items()
    ]


class Merged(NamedTuple):
    """Events that were put into the profile store: from the archive, and from the end of the log."""

    archived: int
    logged: int

    def __str__(self) -> str:
        return f"{self.archived} archived events and {self.logged} that are in the log alone are in the profiles"


def refill_profiles(settings: Settings, client: Client, store: ProfileStore) -> Merged:
    """Puts all events into the store, those too that came in before it was opened and are not archived yet: the job may
    have written them into a store that is gone. LogError or TopicError when the log cannot be read.
    """
    topic = settings.topics.user_tags.name
    topic_id = UUID(topics.topic_ids(settings)[topic])
    bounds = log_start.bounds(settings, topic)
    archived_to = archive.archived_to(client, topic_id)
    partitions = archive.archived_partitions(client)
    archived = 0
    with Progress() as progress:
        task = progress.add_task("merging events", total=sum(partition.rows for partition in partitions))
        for partition in partitions:
            for rows in archive.rebuild_profiles(client, store, partition):
                progress.advance(task, rows)
                archived += rows
    logged = 0
    for number, (begin, end) in bounds.items():
        for messages in log_records.read(settings, topic, number, max(begin, archived_to.get(number, -1) + 1), end):
            events = decode([_record(message) for message in messages]).events
            store.update(updates_of(events, topic_id, number))
            logged += events.num_rows
    return Merged(archived, logged)


def _refill(settings: Settings, client: Client, topic_id: UUID, partition: int, begin: int, end: int) -> Refilled:
    written, since = 0, None
    for messages in log_records.read(settings, settings.topics.user_tags.name, partition, begin, end):
        records = [_record(message) for message in messages]
        since = records[0].ingested if since is None and records else since
        rows = archive_rows(decode(records).events, topic_id, partition)
        if rows.num_rows:
            client.insert_arrow(USER_TAGS_TABLE, rows)
        written += rows.num_rows
    return Refilled(partition, begin, end, written, since)


def _record(message: Message) -> Record:
    """As the jobs read it."""
    ingested = clamp(message.timestamp()[1])
    header = dict(message.headers() or []).get(EVENT_TIME_HEADER)
    newest = header.encode() if isinstance(header, str) else header
    return Record(message.offset() or 0, event_time(newest, ingested), ingested, message.value() or b"")
