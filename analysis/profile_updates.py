"""From events to what they add to profiles."""

from collections import defaultdict
from uuid import UUID

import pyarrow as pa

from analysis.profiles import ProfileEvent, ProfileUpdate, identity
from contracts.events import tags_of
from contracts.tags import encode_tag


def updates_of(events: pa.RecordBatch, topic_id: UUID, partition: int) -> dict[str, ProfileUpdate]:
    """Events of `PLACED_SCHEMA` by cookie."""
    updates: defaultdict[str, ProfileUpdate] = defaultdict(lambda: ProfileUpdate([], []))
    places = zip(*(events.column(name).to_pylist() for name in ("time", "offset", "line")), strict=True)
    for tag, (time, offset, line) in zip(tags_of(events), places, strict=True):
        event = ProfileEvent(time, identity(topic_id, partition, offset, line), encode_tag(tag))
        update = updates[tag.cookie]
        (update.buys if tag.action == "BUY" else update.views).append(event)
    return updates
