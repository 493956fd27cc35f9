"""Hosts whose load is known minute by minute: bins on topic `series`, and what rules say of them."""

from collections import defaultdict

from confluent_kafka import Producer

from contracts import series
from contracts.series import Bin, Message, Progress
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from tests.conftest import START_SECONDS
from tests.flink.alert_topics import alerts
from tests.flink.polling import WAIT_SECONDS, comes, wait_until

START = 1_655_251_200_000  # 2022-06-15T00:00:00Z
TRY_SECONDS = 3.0
TRIES = 80
Said = tuple[str, str, str, int]


class Hosts:
    """Sends bins minute by minute, each host's from a shard and so a partition of its own, and reads alerts."""

    def __init__(self, settings: Settings, metric: str = "load") -> None:
        self._settings, self._metric = settings, metric
        self._producer = Producer({**settings.kafka_client, "acks": "all"})
        self.minute = 0
        self.sent: dict[int, list[Message]] = defaultdict(list)  # by partition

    def send(self, *minutes: dict[str, int]) -> int:
        """The value of each host that has one; hosts are `0` and `1`. Returns the number of the first minute."""
        first = self.minute
        for values in minutes:
            start = START + self.minute * MINUTE_MS
            self.minute += 1
            for shard in (0, 1):
                bins: list[Message] = []
                if str(shard) in values:
                    bins.append(Bin(self._metric, {"host": str(shard)}, MINUTE_MS, start, values[str(shard)], 1, 1))
                progress = Progress(shard, 2, MINUTE_MS, start + MINUTE_MS, "points")
                name = self._settings.topics.series.name
                self.sent[shard] += [*bins, progress]
                self._producer.produce(name, series.encode([*bins, progress]), str(shard), partition=shard)
        assert self._producer.flush(START_SECONDS) == 0
        return first

    def send_until(self, told: str, *minutes: dict[str, int]) -> None:
        """Sends the minutes, again if need be, until a rule says something and all that it says is over: rules come
        by a way of their own, and nothing tells when they are in force."""
        for _ in range(TRIES):
            self.send(*minutes)
            if comes(lambda: any(rule == told for rule, *_ in self.said()), TRY_SECONDS):
                break
        wait_until(lambda: self._is_over(told))

    def _is_over(self, told: str) -> bool:
        said = [status for rule, _, status, _ in self.said() if rule == told]
        return said.count("firing") == said.count("resolved") > 0

    def said(self, since: int = 0) -> list[Said]:
        """Rule, host, status and minute of each change from that minute on."""
        found = []
        for alert in alerts(self._settings):
            at = alert.starts_at if alert.ends_at is None else alert.ends_at
            found.append((alert.rule, alert.labels.get("host", ""), alert.status, (at - START) // MINUTE_MS))
        return sorted(one for one in found if one[3] >= since)

    def wait_for(self, wanted: list[Said], since: int) -> None:
        """Exactly these changes come."""
        said: list[Said] = []

        def enough() -> bool:
            said[:] = self.said(since)
            return len(said) >= len(wanted)

        comes(enough, WAIT_SECONDS)
        assert said == sorted(wanted)
