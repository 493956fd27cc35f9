"""Rules over several series: their bins meet here, by rule and group; and the alert that nothing is judged."""

from collections.abc import Iterator
from typing import Final

from pyflink.common import Row
from pyflink.datastream import KeyedBroadcastProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from analysis.rules import blind, wide
from analysis.rules.blind import BlindState
from analysis.rules.engine import Engine
from analysis.rules.samples import POINTS, USER_TAGS, Message, load
from analysis.rules.selection import Share
from contracts.alerts import Alert, encode
from contracts.rules import BLIND, Blind
from contracts.series import Progress
from contracts.settings import Settings, Topics
from jobs.flink import BLOB
from jobs.judge import Judge, Rules, RulesInForce

KEYS: Final = 4  # part of the state: another number would leave what is remembered with the wrong key
BLIND_KEY: Final = 0  # which also looks at the clock
LOOK_MS: Final = 5000


def row_of(alert: Alert) -> Row:
    """For topic `alerts`."""
    return Row(alert.id, encode(alert).decode())


class Groups(KeyedBroadcastProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Takes (key, messages) of `wide.Fan`; yields (key, value) of records for topic `alerts`."""

    def __init__(self, settings: Settings) -> None:
        self._live = live_streams(settings.topics)
        self._rules = RulesInForce()
        self._judge = Judge(lambda rules, key: Engine(wide.spread(rules), Share(key, KEYS)))
        self._due: dict[int, int] = {}  # when the timers are due that this process set; see jobs/buffer.py

    def open(self, runtime_context: RuntimeContext) -> None:
        self._rules.open()
        self._judge.open(runtime_context)
        self._blind = runtime_context.get_state(ValueStateDescriptor("blind", BLOB()))

    def process_broadcast_element(self, value: Row, ctx: KeyedBroadcastProcessFunction.Context) -> Iterator[Row]:
        self._rules.put(value, ctx)
        return iter(())

    def process_element(self, value: Row, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Row]:
        key, messages = ctx.get_current_key(), load(value[1])
        rules = self._rules.get(ctx)
        if key == BLIND_KEY:
            self._note(messages, ctx)
        alerts = self._judge.take(key, rules, self._rules.version, messages)
        return map(row_of, alerts)

    def on_timer(self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext) -> Iterator[Row]:
        key = ctx.get_current_key()
        if timestamp < self._due.get(key, timestamp):
            return iter(())  # set before a restart; one that was set since is to come
        clock = ctx.timer_service().current_processing_time()
        state, alerts = blind.check(_rule(self._rules.get(ctx)), self._state(), self._live, clock)
        self._blind.update(state.dump())
        self._set_timer(ctx)
        return map(row_of, alerts)

    def _note(self, messages: list[Message], ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> None:
        clock = ctx.timer_service().current_processing_time()
        moved = [one for one in messages if isinstance(one, Progress)]
        self._blind.update(blind.note(self._state(), moved, clock).dump())
        if ctx.get_current_key() not in self._due:
            self._set_timer(ctx)

    def _state(self) -> BlindState:
        data = self._blind.value()
        return blind.load(data) if data else BlindState()

    def _set_timer(self, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> None:
        timers = ctx.timer_service()
        due = timers.current_processing_time() + LOOK_MS
        timers.register_processing_time_timer(due)
        self._due[ctx.get_current_key()] = due


def live_streams(topics: Topics) -> list[str]:
    """Streams that follow the clock, and so must move."""
    live = {USER_TAGS: topics.user_tags.live, POINTS: topics.points.live}
    return [stream for stream, follows in live.items() if follows]


def _rule(rules: Rules) -> Blind:
    """The rule of its kind, or the one that is always in force."""
    return next((rule for rule in rules.values() if isinstance(rule, Blind)), BLIND)
