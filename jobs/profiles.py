"""Pipeline `profiles`: the newest views and buys of each cookie, into the profile store.

A flush takes all records of a partition that wait, groups their events by cookie and hands them to the store in one
transaction. The store merges by event identity, so writing again what is there changes nothing.
"""

from collections.abc import Iterator

from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment

from analysis.profile_updates import updates_of
from contracts.codec import Record, decode
from contracts.settings import Settings
from jobs.buffer import Bounds, PartitionBuffer, WriteFailed
from jobs.flink import Pipeline, Source
from jobs.run import run
from jobs.shared_store import shared_store
from stores.profiles import ProfilesUnavailable

NAME = "profiles"


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    pipeline.process(records, Profiles(settings, source, pipeline.partitions(source)))


def main() -> None:
    """The pipeline as a job of its own."""
    run(NAME, build)


class Profiles(PartitionBuffer):
    """Writes to the profile store; yields nothing."""

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        super().__init__(partitions, Bounds(jobs.profiles_seconds, jobs.flush_bytes, jobs.buffer_bytes))
        self._settings = settings
        self._topic_id = source.topic_id

    def open(self, runtime_context: RuntimeContext) -> None:
        self._store = shared_store(self._settings)
        super().open(runtime_context)

    def flush(self, partition: int, records: list[Record]) -> Iterator[None]:
        try:
            self._store.update(updates_of(decode(records).events, self._topic_id, partition))
        except ProfilesUnavailable as error:
            raise WriteFailed(str(error)) from error
        return iter(())


if __name__ == "__main__":
    main()
