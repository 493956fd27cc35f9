"""Sends what is in the outbox: a receiver at a time from one thread, the receivers side by side.

A letter is marked when the receiver has answered. A kill in between sends it again, with the same keys.
"""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import structlog
from sqlalchemy import Connection

from alerts import message as messages
from alerts import metrics
from alerts.config import Config
from alerts.message import Message
from alerts.receiver import Outcome, Receiver
from contracts.alerts import Alert, alert_id
from stores import alert_incidents, alert_lease, alert_outbox
from stores.alert_outbox import Sending
from stores.alerts import AlertStore

FIRST_WAIT: Final = 1000  # milliseconds; doubled with each attempt
LONGEST_WAIT: Final = 300_000
MOST_TOGETHER: Final = 50  # messages in one call of a receiver that takes several

log: Final = structlog.get_logger()
Clock = Callable[[], int]  # epoch milliseconds


class Sender:
    """`turn` starts what is due and returns at once.

    `timeout` in seconds, of one attempt; after `give_up` milliseconds of attempts a letter is failed.
    """

    def __init__(self, store: AlertStore, clock: Clock, threads: int, timeout: float, give_up: int) -> None:
        self._store, self._clock, self._timeout, self._give_up = store, clock, timeout, give_up
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="send")
        self._busy: dict[str, Future[None]] = {}

    def turn(self, config: Config, token: int) -> None:
        """Of every receiver that is not at it already, all that is due. `token` of the lease; AlertsUnavailable."""
        self._busy = {name: work for name, work in self._busy.items() if not work.done()}
        with self._store.reading() as connection:
            due = alert_outbox.due(connection, self._clock())
        letters: dict[str, list[Sending]] = defaultdict(list)
        for sending in due:
            letters[sending.letter.receiver].append(sending)
        for name, ours in letters.items():
            if name not in self._busy:
                self._busy[name] = self._pool.submit(self._send_all, name, config.receivers.get(name), ours, token)

    def wait(self) -> None:
        """Until what was started is done."""
        for work in list(self._busy.values()):
            work.result()

    def close(self) -> None:
        """Starts nothing more, and waits for what is under way."""
        self._pool.shutdown(cancel_futures=True)

    def _send_all(self, name: str, receiver: Receiver | None, sendings: list[Sending], token: int) -> None:
        try:
            for batch in _batches(receiver, sendings):
                outcome = self._attempt(name, receiver, batch)
                self._note(name, batch, outcome, token)
        except alert_lease.LeaseLost:
            log.warning("lease lost while sending: another instance goes on", receiver=name)
        except Exception as error:  # noqa: BLE001  # the letters stay pending, and are sent again
            log.error("sending failed", receiver=name, error=f"{type(error).__name__}: {error}")

    def _attempt(self, name: str, receiver: Receiver | None, batch: list[Sending]) -> Outcome:
        if receiver is None:
            return Outcome("refused", f"no receiver is called {name}")
        with metrics.SEND_SECONDS.labels(name).time():
            try:
                return receiver.send([_message(sending) for sending in batch], self._timeout)
            except Exception as error:  # noqa: BLE001  # a defect of one kind must not stop the others
                return Outcome("retry", f"{type(error).__name__} in the notifier")  # its text may hold an address

    def _note(self, name: str, batch: list[Sending], outcome: Outcome, token: int) -> None:
        now = self._clock()
        metrics.ATTEMPTS.labels(name, outcome.state).inc()
        numbers = [sending.number for sending in batch]
        first = batch[0]
        gives_up = outcome.state == "refused" or now - first.created_at > self._give_up
        with self._store.writing() as connection:
            alert_lease.demand(connection, token)
            if outcome.state == "sent":
                alert_outbox.sent(connection, numbers, now)
            elif gives_up:
                alert_outbox.failed(connection, numbers, outcome.detail)
                for sending in batch:
                    _tell_failed(connection, sending, now, outcome)
            else:
                wait = max(outcome.wait, min(FIRST_WAIT * 2 ** min(first.attempts, 20), LONGEST_WAIT))
                alert_outbox.postponed(connection, numbers, now + wait, outcome.detail)
        if outcome.state != "sent":
            said = {"receiver": name, "letters": len(batch), "attempt": first.attempts + 1, "reason": outcome.detail}
            (log.error if gives_up else log.warning)("not sent for good" if gives_up else "not sent", **said)


def _message(sending: Sending) -> Message:
    """What was written; a test, which another process asked for, is made here."""
    letter = sending.letter
    if letter.event != "test":
        return messages.decode(letter.payload)
    at = sending.created_at
    summary = "This is a test of this receiver. Nothing is wrong, and nothing is to be done."
    alert = Alert(alert_id("test", {}, at), "test", "external", {}, "info", "firing", at, summary)
    return Message(letter.key, alert.id, "test", alert, at)


def _tell_failed(connection: Connection, sending: Sending, now: int, outcome: Outcome) -> None:
    letter = sending.letter
    if letter.incident is not None:
        said = f"{letter.event} to {letter.receiver}: {outcome.detail}"
        alert_incidents.note(connection, letter.incident, now, "not sent", said)


def _batches(receiver: Receiver | None, sendings: list[Sending]) -> list[list[Sending]]:
    """What goes out in one call: letters of one group that were written together and tried as often."""
    if receiver is None or receiver.one_by_one:
        return [[sending] for sending in sendings]
    batches: dict[tuple[str, int], list[Sending]] = defaultdict(list)
    for sending in sendings:
        batches[sending.letter.batch, sending.attempts].append(sending)
    return [whole[n : n + MOST_TOGETHER] for whole in batches.values() for n in range(0, len(whole), MOST_TOGETHER)]
