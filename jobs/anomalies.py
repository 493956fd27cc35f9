"""Pipeline `anomalies`: closed bins of every series, scored and judged by rules.

Scores go to ClickHouse, which is never waited for; alerts to topic `alerts`, in Kafka's transactions. Rules over one
series are judged where it is scored, those over several at a second key.
"""

from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, OutputTag, RuntimeContext, StreamExecutionEnvironment

from analysis.rules import wide
from analysis.rules.engine import Engine
from analysis.rules.samples import Message, Sample, dump
from analysis.watch.scored import ScoredBin
from contracts.settings import Settings
from jobs.flink import BLOB, Pipeline, Source
from jobs.groups import KEYS, Groups, row_of
from jobs.judge import Judge, RulesInForce, rules_descriptor
from jobs.watcher import Watcher

NAME = "anomalies"
TURN_MS = 1000


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    env.set_parallelism(settings.detection.parallelism)
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    rules = pipeline.broadcast(settings.topics.rules, rules_descriptor())
    parts = pipeline.process(records.connect(rules), Anomalies(settings), Types.ROW([Types.INT(), BLOB()]))
    groups = parts.key_by(lambda part: part[0], key_type=Types.INT())
    wide_alerts = pipeline.process(groups.connect(rules), Groups(settings))
    alerts = parts.get_side_output(alerts_tag()).union(wide_alerts)
    pipeline.to_kafka(alerts, settings.topics.alerts, exactly_once=True)


def alerts_tag() -> OutputTag:
    """The side output of `Anomalies`: (key, value) of records for topic `alerts`."""
    return OutputTag("alerts", Types.ROW([Types.STRING(), Types.STRING()]))


class Anomalies(KeyedBroadcastProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Takes the records of each partition of topic `series`; yields (key of `Groups`, messages) and, aside, alerts."""

    def __init__(self, settings: Settings) -> None:
        self._watcher = Watcher(settings)
        self._rules = RulesInForce()
        self._judge = Judge(lambda rules, key: Engine(wide.narrow(rules), alone=True))
        self._fan = (0, wide.Fan({}, KEYS))  # of a version of the rules
        self._due: dict[int, int] = {}  # when the timers are due that this process set; see jobs/buffer.py

    def open(self, runtime_context: RuntimeContext) -> None:
        self._watcher.open(runtime_context)
        self._rules.open()
        self._judge.open(runtime_context)
        self._alerts = alerts_tag()

    def close(self) -> None:
        self._watcher.close()

    def process_broadcast_element(self, value: Row, ctx: KeyedBroadcastProcessFunction.Context) -> Iterator[Any]:
        self._rules.put(value, ctx)
        return iter(())

    def process_element(self, value: Row, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Any]:
        key = ctx.get_current_key()
        if key not in self._due:
            self._set_timer(ctx)
        stream = self._watcher.take(key, value[0] or b"", ctx.timer_service().current_processing_time())
        messages: list[Message] = [_sample(one) if isinstance(one, ScoredBin) else one for one in stream]
        if messages:
            yield from self._judged(key, messages, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedBroadcastProcessFunction.OnTimerContext) -> Iterator[Any]:
        key = ctx.get_current_key()
        if timestamp < self._due.get(key, timestamp):
            return iter(())  # set before a restart; one that was set since is to come
        self._watcher.turn(key)
        self._set_timer(ctx)
        return iter(())

    def _judged(
        self, key: Any, messages: list[Message], ctx: KeyedBroadcastProcessFunction.ReadOnlyContext
    ) -> Iterator[Any]:
        rules = self._rules.get(ctx)
        version = self._rules.version
        for alert in self._judge.take(key, rules, version, messages):
            yield self._alerts, row_of(alert)
        if self._fan[0] != version:
            self._fan = version, wide.Fan(rules, KEYS)
        for group, some in self._fan[1].out(messages).items():
            yield Row(group, dump(some))

    def _set_timer(self, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> None:
        timers = ctx.timer_service()
        due = timers.current_processing_time() + TURN_MS
        timers.register_processing_time_timer(due)
        self._due[ctx.get_current_key()] = due


def _sample(scored: ScoredBin) -> Sample:
    return Sample(scored.bin, scored.score, scored.expected)
