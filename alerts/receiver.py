"""What every way of telling somebody is: options, and one attempt to send."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from alerts.message import Message
from contracts.settings import Section


class Outcome(NamedTuple):
    """Of one attempt. `retry`: the same may succeed later, after `wait` milliseconds at least if the receiver said so.

    `refused`: it will never succeed as it is. `detail` is for people and holds no secret.
    """

    state: Literal["sent", "retry", "refused"]
    detail: str = ""
    wait: int = 0


SENT = Outcome("sent")


class Receiver(Section, ABC):
    """A kind of receiver: its fields are what the file of routes gives, its `kind` the name of its file.

    It only sends. Trying again, and when, is not its business.
    """

    one_by_one: ClassVar[bool] = False  # takes one message a call, else all that go out together
    send_resolved: bool = True

    @abstractmethod
    def send(self, messages: Sequence[Message], timeout: float) -> Outcome:
        """One attempt, of `timeout` seconds at most; called from several threads. Raises nothing that is foreseen."""
