"""Which bins share their progress."""

from typing import Literal, NamedTuple

from contracts.series import USER_TAG_METRICS, Message, Progress

Stream = Literal["user-tags", "points"]


class Lane(NamedTuple):
    """Bins of one stream and one resolution, in milliseconds."""

    stream: Stream
    resolution: int

    @staticmethod
    def of(message: Message) -> "Lane":
        if isinstance(message, Progress):
            return Lane(message.stream, message.resolution)
        return Lane("user-tags" if message.metric in USER_TAG_METRICS else "points", message.resolution)

    @staticmethod
    def read(text: str) -> "Lane":
        """What `str` makes."""
        stream, _, resolution = text.partition("/")
        return Lane("user-tags" if stream == "user-tags" else "points", int(resolution))

    def __str__(self) -> str:
        return f"{self.stream}/{self.resolution}"
