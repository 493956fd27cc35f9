"""The service: turns of reading, looking and sending, by the one instance that holds the lease."""

import threading
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import KafkaException

from alerts import metrics, oncall, stages
from alerts.canary import DEAD_MAN, Canary, dead_man
from alerts.config import Config
from alerts.feed import Feed, Read
from alerts.heartbeat import Heartbeat
from alerts.record import record, record_first
from alerts.routes_file import RoutesFile
from alerts.send import Sender
from contracts.settings import Settings
from stores import alert_incidents, alert_lease, alert_outbox, alert_silences
from stores.alert_lease import LeaseLost
from stores.alerts import AlertStore, AlertsUnavailable, revision

POLL_SECONDS: Final = 0.2
HOUSEKEEPING_MS: Final = 10_000
ROSTER_AHEAD_MS: Final = 14 * 86_400_000
DAY_MS: Final = 86_400_000

log: Final = structlog.get_logger()


class Service:
    """`turn` again and again, from one thread; `reasons` may be read from any. `clock` gives epoch milliseconds."""

    def __init__(self, settings: Settings, store: AlertStore, holder: str, clock: Callable[[], int]) -> None:
        self._settings, self._store, self._holder, self._clock = settings, store, holder, clock
        own = settings.alerts
        self._routes = RoutesFile(settings.home / own.routes)
        self._feed = Feed(settings)
        give_up = int(own.give_up_hours * 3_600_000)
        self._sender = Sender(store, clock, own.senders, own.send_seconds, give_up)
        self._canary = Canary(settings, clock())
        self._heartbeat = Heartbeat(own.heartbeat_url.get_secret_value(), own.heartbeat_seconds)
        self._stopping = threading.Event()
        self._token: int | None = None
        self._made = False
        self._lease_at = self._housekeeping_at = 0
        self._look_at: int | None = 0  # when the next look is due
        self._revision = -1
        self.store_reason: str | None = "not asked yet"
        self._turned_at = clock()

    @property
    def leads(self) -> bool:
        return self._token is not None

    @property
    def idle_ms(self) -> int:
        """Since the last turn began."""
        return self._clock() - self._turned_at

    @property
    def reasons(self) -> dict[str, str | None]:
        """What is wrong with each link, None where nothing is."""
        feed = self._feed.reason if self.leads else None  # an instance that waits reads nothing
        return {"store": self.store_reason, "kafka": feed, "routes": self._routes.reason}

    def run(self) -> None:
        """Turns until `stop`, then lets go of everything, the lease too."""
        while not self._stopping.is_set():
            self.turn()
        self.close()

    def stop(self) -> None:
        """Makes `run` end, from any thread or signal handler."""
        self._stopping.set()

    def turn(self) -> None:
        """Reads what came, looks if something changed or is due, starts sending. Never raises what is foreseen."""
        self._turned_at = self._clock()
        try:
            self._lead()
            if self._token is None:
                self._routes.current()  # what is wrong with them is to be known before they are needed
                self._rest()
            else:
                self._work(self._token)
            self.store_reason = None
        except AlertsUnavailable as error:
            self._told_once(str(error))
        except LeaseLost:
            log.warning("lease lost: another instance works")
            self._step_down()

    def close(self) -> None:
        """Lets go of everything, the lease too."""
        self._sender.close()
        self._feed.close()
        self._canary.close()
        self._heartbeat.close()
        try:
            with self._store.writing() as connection:
                alert_lease.give_back(connection, self._holder)
        except AlertsUnavailable as error:
            log.warning("the lease runs out by itself", reason=str(error))
        self._store.close()

    def _lead(self) -> None:
        """Takes the lease or renews it, well before it runs out."""
        now = self._clock()
        if not self._made:
            self._store.create()
            self._made = True
        if now < self._lease_at:
            return
        length = int(self._settings.alerts.lease_seconds * 1000)
        with self._store.writing() as connection:
            token = alert_lease.take(connection, self._holder, now, length)
        self._lease_at = now + length // 3
        if token != self._token:
            self._step_down()
            self._token = token
            log.info("leads" if token is not None else "waits: another instance leads", holder=self._holder)
        metrics.LEADS.set(self.leads)

    def _step_down(self) -> None:
        self._token, self._look_at = None, 0
        self._canary.start(self._clock())
        self._feed.forget()
        metrics.LEADS.set(0)

    def _rest(self) -> None:
        self._stopping.wait(POLL_SECONDS)

    def _work(self, token: int) -> None:
        config, changed = self._routes.current()
        if config is None:
            self._rest()
            return
        self._read(config, token)
        self._watch(config, token)
        self._look(config, token, changed)
        self._sender.turn(config, token)
        self._keep_house(config, token)
        self._heartbeat.beat(all(reason is None for reason in self.reasons.values()), self._clock())

    def _read(self, config: Config, token: int) -> None:
        try:
            read = self._poll()
        except KafkaException as error:
            self._feed.reason = error.args[0].str()
            self._feed.topic_id = None
            return
        if read is None:
            return
        try:
            self._record(read, config, token)
        except AlertsUnavailable:
            self._feed.forget()  # what was read is not in the store: it is read again
            raise

    def _record(self, read: Read, config: Config, token: int) -> None:
        now = self._clock()
        messages = [message for message in read.messages if not self._canary.takes(message, now)]
        with self._store.writing() as connection:
            alert_lease.demand(connection, token)
            applied = (record_first if read.first else record)(connection, messages, config.flapping, now)
            alert_lease.save_offsets(connection, read.topic_id, read.next_offsets)
        if applied:
            self._look_at = 0

    def _poll(self) -> Read | None:
        if self._feed.topic_id is None:
            topic_id = self._feed.find()
            if topic_id is None:
                self._rest()
                return None
            with self._store.reading() as connection:
                known = alert_lease.offsets(connection, topic_id)
            self._feed.seek(known)
        return self._feed.poll(POLL_SECONDS)

    def _watch(self, config: Config, token: int) -> None:
        """Of the way of alerts itself: that it is broken goes to the store at once, past Kafka and Flink."""
        now = self._clock()
        turned = self._canary.turn(now)
        if turned is None:
            return
        with self._store.writing() as connection:
            alert_lease.demand(connection, token)
            before = alert_incidents.of_fingerprint(connection, DEAD_MAN, now)
            broken = next((incident.alert for incident in before if incident.firing), None)
            if record(connection, dead_man(turned, broken, now), config.flapping, now):
                self._look_at = 0

    def _look(self, config: Config, token: int, changed: bool) -> None:
        with self._store.reading() as connection:
            number = revision(connection)
        due = self._look_at is not None and self._clock() >= self._look_at
        if not due and not changed and number == self._revision:
            return
        with self._store.writing() as connection:
            alert_lease.demand(connection, token)
            number = revision(connection)
            self._look_at = stages.run(connection, config, self._clock())
        self._revision = number

    def _keep_house(self, config: Config, token: int) -> None:
        """The roster, what is too old to keep, the figures: now and then."""
        now = self._clock()
        if now < self._housekeeping_at:
            return
        self._housekeeping_at = now + HOUSEKEEPING_MS
        oldest = now - self._settings.alerts.keep_days * DAY_MS
        with self._store.writing() as connection:
            alert_lease.demand(connection, token)
            alert_silences.replace_shifts(connection, oncall.roster(config, now, now + ROSTER_AHEAD_MS))
            alert_incidents.forget(connection, oldest)
            alert_silences.forget(connection, oldest)
            firing, letters = alert_incidents.counts(connection), alert_outbox.counts(connection)
        metrics.show(firing, letters)

    def _told_once(self, reason: str) -> None:
        if self.store_reason != reason:
            log.error("the store is away", reason=reason)
        self.store_reason = reason
        self._rest()
