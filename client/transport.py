"""One HTTP call: a batch of points to `/v1/points`, and what its answer means."""

import gzip
import json
import urllib.error
import urllib.request
from typing import NamedTuple

from client.batch import Batch

TIMEOUT_SECONDS = 10.0


class Outcome(NamedTuple):
    """`taken` and `refused` points; when `again`, none counts and the batch is to be sent again, in `wait` seconds."""

    taken: int
    refused: int
    again: bool = False
    wait: float = 0.0


class Transport:
    """Where to send to; `token` is a bearer token, empty for none."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/") + "/v1/points"
        self._headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def send(self, batch: Batch) -> Outcome:
        """Never raises."""
        body = gzip.compress(b"\n".join(batch.lines), 1)
        headers = {**self._headers, "Idempotency-Key": batch.key}
        try:
            request = urllib.request.Request(self._url, body, headers)  # noqa: S310  # the program chose it
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310  # as above
                answer = json.loads(response.read())
            return Outcome(int(answer["accepted"]), int(answer["rejected"]))
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (408, 429) or error.code >= 500:
                    return Outcome(0, 0, True, _seconds(error.headers.get("Retry-After")))
                return Outcome(0, len(batch.lines))  # the same would be refused again
        except Exception:  # whatever a network or its settings bring: the program must not notice
            return Outcome(0, 0, True)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 0.0
