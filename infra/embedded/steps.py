"""What has to be done once the parts are up, such as creating topics: tried until it succeeds."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FIRST_RETRY: Final = 0.5  # seconds, doubled with each failure in a row
LONGEST_RETRY: Final = 15.0
POLL_SECONDS: Final = 0.1


@dataclass
class Step:
    """`run` does it, raising when it cannot, and is safe to repeat. `needs` are names of other links.

    `every` (seconds) makes it a check that is done again and again, and may bring back what was lost. `reason` is None
    once it is done, else what it waits for; it may be read from any thread.
    """

    name: str
    run: Callable[[], object]
    needs: tuple[str, ...] = ()
    every: float | None = None
    reason: str | None = field(default="not begun", init=False)

    def work(
        self, blocked: Callable[[], str | None], stopping: threading.Event, report: Callable[[str, str], None]
    ) -> None:
        """Runs until done, or until `stopping`; run it in a thread. `blocked` names a missing need."""
        failures = 0
        while not stopping.is_set():
            missing = blocked()
            if missing is not None:
                self.reason = f"waiting for {missing}"
                stopping.wait(POLL_SECONDS)
                continue
            error = self._attempt(report)
            failures = failures + 1 if error else 0
            if error is None and self.every is None:
                return
            stopping.wait(min(FIRST_RETRY * 2**failures, LONGEST_RETRY) if error else self.every)

    def _attempt(self, report: Callable[[str, str], None]) -> Exception | None:
        try:
            self.run()
        except Exception as error:  # noqa: BLE001  # whatever it is: it is shown, and tried again
            if str(error) != self.reason:
                report(self.name, f"{type(error).__name__}: {error}")
            self.reason = str(error) or type(error).__name__
            return error
        if self.reason is not None:
            report(self.name, "done")
        self.reason = None
        return None
