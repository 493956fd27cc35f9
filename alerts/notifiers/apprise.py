"""Everything that apprise speaks: mail, Slack, Telegram and a hundred more, an address each.

Apprise knows no keys against copies: what is sent again after a kill arrives twice there.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pydantic import field_validator

from alerts.fields import Secret
from alerts.message import Message, text
from alerts.receiver import SENT, Outcome, Receiver

if TYPE_CHECKING:  # it takes a second to import, which only those who use it shall wait for
    from apprise import Apprise as Addresses

_TYPES: Final = {"critical": "failure", "warning": "warning", "info": "info"}


class Apprise(Receiver):
    """`url` as apprise writes it, such as `mailto://…` or `slack://…`; it holds secrets.

    One a receiver, so that what one address refuses is not sent to another again.
    """

    url: Secret

    @field_validator("url")
    @classmethod
    def _known(cls, url: Secret) -> Secret:
        """An address that apprise cannot read is refused at the start; it is not shown."""
        if not _address(url.get_secret_value()):
            raise ValueError("apprise cannot read the address")
        return url

    def send(self, messages: Sequence[Message], timeout: float) -> Outcome:
        """Of a failure apprise does not say whether it may succeed later: it is tried again."""
        title, body = text(list(messages))
        kind = "success" if messages[0].over else _TYPES[messages[0].alert.severity]
        result = _address(self.url.get_secret_value()).notify(body=body, title=title, notify_type=kind, timeout=timeout)
        return SENT if result else Outcome("retry", f"apprise says: {result.status.name.lower()}")


@lru_cache(maxsize=256)
def _address(url: str) -> "Addresses":
    """Empty, thus false, when it cannot be read."""
    from apprise import Apprise as Addresses

    addresses = Addresses()
    addresses.add(url)
    return addresses
