"""A signed POST of JSON to any address.

The body is `{"version": 1, "messages": […]}`, each message as in `alerts/message.py`; a copy has the same `key`. The
header `X-Tidewatch-Signature` is `sha256=` and HMAC-SHA256, in hexadecimal digits, over the text of
`X-Tidewatch-Timestamp` (epoch seconds), a full stop, and the body: who refuses old timestamps cannot be sent
yesterday's alerts again.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from alerts.fields import Secret
from alerts.http_post import post
from alerts.message import Message
from alerts.receiver import Outcome, Receiver

TIMESTAMP: Final = "X-Tidewatch-Timestamp"
SIGNATURE: Final = "X-Tidewatch-Signature"
KEY: Final = "Idempotency-Key"


class Webhook(Receiver):
    """`url` is secret as it often holds a token; `secret` is the key of the signature."""

    url: Secret
    secret: Secret

    def send(self, messages: Sequence[Message], timeout: float) -> Outcome:
        """2xx is taken."""
        body = msgspec.json.encode({"version": 1, "messages": messages})
        timestamp = str(int(time.time()))  # of this attempt, not of the alert: the receiver compares it with its clock
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: signature(self.secret.get_secret_value(), timestamp, body),
            KEY: hashlib.sha256(" ".join(message.key for message in messages).encode()).hexdigest(),
        }
        return post(self.url.get_secret_value(), body, headers, timeout)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the header holds."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
