"""The state in pieces, so that a bin of one series does not rewrite what is remembered of all others."""

from collections.abc import Mapping
from typing import Final
from zlib import crc32

import msgspec

from analysis.rules.state import LaneState, State, Track

PAGES_A_RULE: Final = 32
REST: Final = "rest"  # the page of what is not about a group


class _Rest(msgspec.Struct, array_like=True):
    lanes: dict[str, LaneState]
    shapes: dict[str, str]


def split(state: State) -> dict[str, bytes]:
    """All of the state, by the name of its page."""
    groups: dict[str, dict[str, Track]] = {}
    for rule, tracks in state.tracks.items():
        for group, track in tracks.items():
            groups.setdefault(f"{rule}/{crc32(group.encode()) % PAGES_A_RULE}", {})[group] = track
    pages = {name: _encoder.encode(tracks) for name, tracks in groups.items()}
    pages[REST] = _encoder.encode(_Rest(state.lanes, state.shapes))
    return pages


def join(pages: Mapping[str, bytes]) -> State:
    """The state of which these are all pages; of none a new one. msgspec.DecodeError when they are something else."""
    if REST not in pages:
        return State()
    rest = _rest_decoder.decode(pages[REST])
    state = State(rest.lanes, {rule: {} for rule in rest.shapes}, rest.shapes)
    for name, data in pages.items():
        if name != REST:
            state.tracks.setdefault(name.rpartition("/")[0], {}).update(_tracks_decoder.decode(data))
    return state


class Written:
    """Knows what was written of each page, and so what must be written again."""

    def __init__(self, pages: Mapping[str, bytes]) -> None:
        self._pages = dict(pages)

    def changes(self, state: State) -> dict[str, bytes | None]:
        """What to write so that all pages are those of `state`; None: the page is gone."""
        now = split(state)
        changed: dict[str, bytes | None] = {name: data for name, data in now.items() if self._pages.get(name) != data}
        changed.update(dict.fromkeys(self._pages.keys() - now.keys()))
        self._pages = now
        return changed


_encoder: Final = msgspec.msgpack.Encoder()
_rest_decoder: Final = msgspec.msgpack.Decoder(_Rest)
_tracks_decoder: Final = msgspec.msgpack.Decoder(dict[str, Track])
