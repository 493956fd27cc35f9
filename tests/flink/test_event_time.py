"""A record's event time: in Flink's SQL, where watermarks come from, and in Python, where the log is read again."""

from dataclasses import dataclass
from uuid import UUID

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction

from contracts.codec import Record
from contracts.names import EVENT_TIME_HEADER
from contracts.settings import Settings
from contracts.times import event_time
from jobs.buffer import record_of
from jobs.flink import Pipeline
from tests.flink.conftest import Environments
from tests.flink.streams import Collection, collect

INGESTED = 1_700_000_000_000
HEADERS = [
    None,
    b"1646092800000",
    b"0",
    b"1700000000001",  # after it came in
    b"9999999999999",
    b"99999999999999",  # longer than times are
    b"",
    b"-5",
    b"+5",
    b" 5",
    b"5\n",
    b"5.0",
    b"\xff",
    "٣".encode(),  # a digit elsewhere
]


@dataclass(frozen=True)
class AnyHeaders(Collection):
    """Records whose header for the event time is that of `HEADERS` at their offset."""

    def _headers(self, record: Record) -> dict[str, bytes]:
        header = HEADERS[record.offset]
        return {} if header is None else {EVENT_TIME_HEADER: header}


class Times(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Offset, event time, and time of arrival of each record."""

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> list[Row]:
        record = record_of(value)
        return [Row(record.offset, record.event_time, record.ingested)]


def test_sql_and_python_find_the_same_event_time(environments: Environments, settings: Settings) -> None:
    env = environments()
    records = [Record(offset, 0, INGESTED, b"x") for offset in range(len(HEADERS))]
    topic = settings.topics.user_tags.model_copy(update={"partitions": 1})
    source = AnyHeaders(topic, UUID(int=1), {}, env, records)
    stream = Pipeline(env, settings, "times").records(source)
    found = collect(stream.process(Times(), Types.ROW([Types.LONG(), Types.LONG(), Types.LONG()])))
    assert sorted(found) == [(offset, event_time(header, INGESTED), INGESTED) for offset, header in enumerate(HEADERS)]
    assert [time for _, time, _ in sorted(found)][:3] == [INGESTED, 1_646_092_800_000, 0]
