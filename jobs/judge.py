"""Rules within an operator: those in force, broadcast from the topic, and what they remember, in keyed state."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from analysis.rules import pages
from analysis.rules.engine import Engine
from analysis.rules.samples import Message
from analysis.rules.state import State
from contracts.alerts import Alert
from contracts.rule_sets import from_records
from contracts.rules import CANARY, Common
from jobs.flink import BLOB

Rules = dict[str, Common]
logger = logging.getLogger(__name__)


def rules_descriptor() -> MapStateDescriptor:
    """Of the broadcast state: the records of the topic `rules`, value by key."""
    return MapStateDescriptor("rules", Types.STRING(), BLOB())


class RulesInForce:
    """Reads the broadcast state when it has changed; `version` tells one set of rules from the next."""

    def __init__(self) -> None:
        self.version = 0
        self._rules: Rules | None = None

    def open(self) -> None:
        self._descriptor = rules_descriptor()

    def put(self, record: Row, ctx: KeyedBroadcastProcessFunction.Context) -> None:
        """A record of the topic, on the broadcast side."""
        state = ctx.get_broadcast_state(self._descriptor)
        key, value = record[0] or "", record[1]
        if value is not None:
            state.put(key, value)
        elif state.contains(key):
            state.remove(key)
        self._rules = None

    def get(self, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Rules:
        """The rules by name, and the canary's among them; what cannot be read is logged, and no rule."""
        if self._rules is None:
            found, problems = from_records(dict(ctx.get_broadcast_state(self._descriptor).items()))
            for problem in problems:
                logger.warning("a rule is not in force: %s", problem)
            self._rules = {**found.rules, CANARY.name: CANARY}
            self.version += 1
        return self._rules


class Judge:
    """An engine over what it remembers of each key. To be called with that key current."""

    def __init__(self, make: Callable[[Rules, Any], Engine]) -> None:
        """`make`: the engine of these rules for a key."""
        self._make = make
        self._engines: dict[Any, tuple[int, Engine]] = {}
        # A copy of what keyed state holds, by key.
        self._known: dict[Any, tuple[State, pages.Written]] = {}

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pages = runtime_context.get_map_state(MapStateDescriptor("rule_pages", Types.STRING(), BLOB()))

    def take(self, key: Any, rules: Rules, version: int, stream: Sequence[Message]) -> list[Alert]:
        """What the rules say of the messages."""
        known, engine = self._engines.get(key, (0, None))
        if engine is None or known != version:
            engine = self._make(rules, key)
            self._engines[key] = version, engine
        if key not in self._known:
            held = dict(self._pages.items())
            self._known[key] = pages.join(held), pages.Written(held)
        state, written = self._known[key]
        state, alerts = engine.evaluate(state, stream)
        for name, data in written.changes(state).items():
            if data is None:
                self._pages.remove(name)
            else:
                self._pages.put(name, data)
        return alerts
