"""What watches the series of a partition of topic `series`: its state by key, and what it says of closed bins.

The state is pages by name, so that a bin rewrites few of them; what stands in memory besides is a copy of it.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from analysis.detection import Seedable
from analysis.detectors import twintail
from analysis.watch.feed import Changes, Feed
from analysis.watch.lane import Lane
from analysis.watch.scored import ScoredBin
from contracts.names import SCORED_BINS_TABLE
from contracts.series import Message, Progress, decode
from contracts.settings import Settings
from jobs.flink import BLOB
from jobs.histories import Histories
from jobs.outbox import Outbox
from jobs.score_rows import score_rows

DETECTOR: Final[Seedable] = twintail.detector
logger = logging.getLogger(__name__)


class Watcher:
    """All but `open` and `close` are called with a current key, within `process_element` or `on_timer`.

    The metrics `unreadable_records` and `refused_bins` count what was not watched: records that hold something else,
    and bins of series beyond `detection.most_series`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._feeds: dict[Any, dict[Lane, Feed]] = {}  # by key
        self._outbox = Outbox(settings, SCORED_BINS_TABLE, settings.detection.unwritten_bytes)
        self._histories = Histories(settings, DETECTOR)

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pages = runtime_context.get_map_state(MapStateDescriptor("pages", Types.STRING(), BLOB()))
        metrics = runtime_context.get_metrics_group()
        self._unreadable, self._refused = metrics.counter("unreadable_records"), metrics.counter("refused_bins")
        self._outbox.open(runtime_context)
        self._histories.open()

    def close(self) -> None:
        self._outbox.close()
        self._histories.close()

    def take(self, key: Any, payload: bytes, now: int) -> list[ScoredBin | Progress]:
        """Of a record of the topic; see `Feed.take`. `now`: the clock, epoch milliseconds."""
        try:
            messages = decode(payload)
        except msgspec.DecodeError as error:
            self._unreadable.inc()
            logger.warning("a record of the topic series holds something else: %s", error)
            return []
        stream = [one for feed, some in self._by_feed(key, messages) for one in self._take(feed, some)]
        scored = [one for one in stream if isinstance(one, ScoredBin)]
        if scored:
            self._outbox.put(key, score_rows(scored, now))
            self._outbox.turn(key)
        return stream

    def turn(self, key: Any) -> None:
        """To be called every second or so: writes scores, begins new series with their histories."""
        self._outbox.turn(key)
        for lane, feed in self._of(key).items():
            self._keep(lane, self._histories.turn((key, lane), feed))

    def _take(self, feed: Feed, messages: list[Message]) -> list[ScoredBin | Progress]:
        refused = feed.live.refused
        stream, changes = feed.take(messages)
        self._refused.inc(feed.live.refused - refused)
        self._keep(feed.lane, changes)
        return stream

    def _by_feed(self, key: Any, messages: list[Message]) -> Iterator[tuple[Feed, list[Message]]]:
        feeds = self._of(key)
        found: dict[Lane, list[Message]] = {}
        for message in messages:
            found.setdefault(Lane.of(message), []).append(message)
        for lane, some in found.items():
            if lane not in feeds:
                feeds[lane] = Feed(lane, DETECTOR, self._settings.detection.most_series)
            yield feeds[lane], some

    def _of(self, key: Any) -> dict[Lane, Feed]:
        """The feeds of the key, at first from its state."""
        if key not in self._feeds:
            by_lane: dict[Lane, dict[str, bytes]] = {}
            for name, data in self._pages.items():
                lane, _, page = name.partition(":")
                by_lane.setdefault(Lane.read(lane), {})[page] = data
            most = self._settings.detection.most_series
            self._feeds[key] = {lane: Feed(lane, DETECTOR, most, pages) for lane, pages in by_lane.items()}
        return self._feeds[key]

    def _keep(self, lane: Lane, changes: Changes) -> None:
        for page, data in changes.items():
            name = f"{lane}:{page}"
            if data is None:
                self._pages.remove(name)
            else:
                self._pages.put(name, data)
