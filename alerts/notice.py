"""What a stage decided to tell, on its way into the outbox."""

from typing import NamedTuple

from alerts.case import Case
from alerts.message import Event


class Notice(NamedTuple):
    """One change of a case for some receivers.

    `suffix` makes its key: the same change has the same, however often it is decided. `group`: the labels of the group
    that it goes out with.
    """

    case: Case
    event: Event
    suffix: str
    receivers: list[str]
    group: dict[str, str]
