"""Rules over several series: their series come from several shards and meet again at a second key.

The first operator, keyed by shard, judges the rules of one series (`narrow`, an `Engine` that is `alone`) and hands on
what `Fan.out` makes; the second, keyed by what it makes, judges the rest (`spread`, an `Engine` with a `Share`).
"""

from collections.abc import Iterable, Mapping

from analysis.rules.samples import Message
from analysis.rules.selection import Selection, is_wide, key_of
from contracts.rules import Common
from contracts.series import Progress


def narrow(rules: Mapping[str, Common]) -> dict[str, Common]:
    """The rules that look at each series by itself."""
    return {name: rule for name, rule in rules.items() if not is_wide(rule)}


def spread(rules: Mapping[str, Common]) -> dict[str, Common]:
    """The rules that put series together."""
    return {name: rule for name, rule in rules.items() if is_wide(rule)}


class Fan:
    """Sends each bin to the keys of the groups that it belongs to, and progress to all keys, in order."""

    def __init__(self, rules: Mapping[str, Common], keys: int) -> None:
        self._selection = Selection(spread(rules).values())
        self._keys = keys

    def out(self, stream: Iterable[Message]) -> dict[int, list[Message]]:
        """What goes to each key; keys that get nothing are left out."""
        found: dict[int, list[Message]] = {}
        for message in stream:
            for key in self._keys_of(message):
                found.setdefault(key, []).append(message)
        return found

    def _keys_of(self, message: Message) -> Iterable[int]:
        if isinstance(message, Progress):
            return range(self._keys)
        return {key_of(hit.rule, hit.group, self._keys) for hit in self._selection.hits(message.bin)}
