"""Pipeline `anomalies`: closed bins of every series, scored; the scores to ClickHouse, which is never waited for."""

from collections.abc import Iterator

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment

from contracts.settings import Settings
from jobs.flink import Pipeline, Source
from jobs.watcher import Watcher

NAME = "anomalies"
TURN_MS = 1000


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    env.set_parallelism(settings.detection.parallelism)
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    pipeline.process(records, Anomalies(settings))


class Anomalies(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Takes the records of each partition of topic `series`; yields nothing."""

    def __init__(self, settings: Settings) -> None:
        self._watcher = Watcher(settings)
        self._due: dict[int, int] = {}  # when the timers are due that this process set; see jobs/buffer.py

    def open(self, runtime_context: RuntimeContext) -> None:
        self._watcher.open(runtime_context)

    def close(self) -> None:
        self._watcher.close()

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        key = ctx.get_current_key()
        if key not in self._due:
            self._set_timer(ctx)
        self._watcher.take(key, value[0] or b"", ctx.timer_service().current_processing_time())
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        key = ctx.get_current_key()
        if timestamp < self._due.get(key, timestamp):
            return iter(())  # set before a restart; one that was set since is to come
        self._watcher.turn(key)
        self._set_timer(ctx)
        return iter(())

    def _set_timer(self, ctx: KeyedProcessFunction.Context) -> None:
        timers = ctx.timer_service()
        due = timers.current_processing_time() + TURN_MS
        timers.register_processing_time_timer(due)
        self._due[ctx.get_current_key()] = due
