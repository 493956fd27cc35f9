"""The alert that nothing can be judged: progress of a live stream stands still by the clock.

Rules over bins hold still then, so this is the only one that says so. Streams that do not follow the clock may rest as
long as they like.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from analysis.rules import messages
from analysis.rules.kind import Verdict
from contracts.alerts import Alert
from contracts.rules import Blind, milliseconds
from contracts.series import Progress


class Watch(Struct, array_like=True):
    """How far a shard of a lane was, and the clock (epoch milliseconds) when it moved last."""

    through: int
    moved: int


class BlindState(Struct, array_like=True):
    """`shards`: by stream, resolution and shard. `since`: the clock when watching began."""

    since: int | None = None
    shards: dict[str, Watch] = {}
    alert: Alert | None = None

    def dump(self) -> bytes:
        return _encoder.encode(self)


def load(data: bytes) -> BlindState:
    """What was dumped; msgspec.DecodeError when it is something else."""
    return _decoder.decode(data)


def note(state: BlindState, moved: Iterable[Progress], clock: int) -> BlindState:
    """Takes progress in. The state that goes in is used up."""
    for progress in moved:
        prefix = f"{progress.stream}/{progress.resolution}/"
        for shard in range(progress.shards):  # all that there are must move, also those that never did
            state.shards.setdefault(f"{prefix}{shard}", Watch(0, clock))
        watch = state.shards[f"{prefix}{progress.shard}"]
        if progress.through > watch.through:
            state.shards[f"{prefix}{progress.shard}"] = Watch(progress.through, clock)
    return state


def check(rule: Blind, state: BlindState, live: Collection[str], clock: int) -> tuple[BlindState, list[Alert]]:
    """The alert when it begins or ends. `live`: streams that must move, such as `points`; `clock`: epoch milliseconds.

    The state that goes in is used up.
    """
    state.since = clock if state.since is None else state.since
    standing = _standing(rule, state, live, clock)
    if standing and state.alert is None:
        verdict = Verdict(True, value=float(clock - min(standing.values())) / 1000)
        alert = messages.firing(rule, {}, min(standing.values()), verdict)
        state.alert = replace(alert, summary=f"{alert.summary}: {', '.join(sorted(standing))}"[: messages.LONGEST])
        return state, [state.alert]
    if not standing and state.alert is not None:
        over, state.alert = state.alert, None
        return state, [messages.resolved(rule, over, clock, Verdict(False))]
    return state, []


def _standing(rule: Blind, state: BlindState, live: Collection[str], clock: int) -> dict[str, int]:
    """What stands still, with the clock when it moved last."""
    deadline = clock - milliseconds(rule.after)
    since = clock if state.since is None else state.since
    watched = {name: watch.moved for name, watch in state.shards.items() if name.partition("/")[0] in live}
    unheard = {stream: since for stream in live if not any(name.startswith(f"{stream}/") for name in watched)}
    return {name: moved for name, moved in {**watched, **unheard}.items() if moved <= deadline}


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(BlindState)
