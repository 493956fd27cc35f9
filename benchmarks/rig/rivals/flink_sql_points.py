"""The same bins a minute in pure Flink SQL, one JSON object a record: `-pym rivals.flink_sql_points BOOTSTRAP TOPIC`.

No Python runs in it but this client. Bins go nowhere (`blackhole`), and points are not kept.
"""

import sys

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

NAME = "rival-flink-sql-points"
SOURCE = """
CREATE TABLE points (
    name STRING, kind STRING, labels ROW<host STRING, region STRING>, `time` BIGINT, `value` DOUBLE,
    rowtime AS TO_TIMESTAMP_LTZ(`time`, 3), WATERMARK FOR rowtime AS rowtime - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{bootstrap}',
        'properties.group.id' = 'rival', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json')
"""
SINK = """
CREATE TABLE bins (
    `minute` TIMESTAMP_LTZ(3), name STRING, host STRING, region STRING,
    points BIGINT, total DOUBLE, least DOUBLE, most DOUBLE, squares DOUBLE, newest DOUBLE
) WITH ('connector' = 'blackhole')
"""
QUERY = """
INSERT INTO bins
SELECT window_start, name, labels.host, labels.region,
    COUNT(*), SUM(`value`), MIN(`value`), MAX(`value`), SUM(`value` * `value`), LAST_VALUE(`value`)
FROM TABLE(TUMBLE(TABLE points, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, name, labels.host, labels.region
"""


def main() -> None:
    bootstrap, topic = sys.argv[1:]
    env = StreamExecutionEnvironment.get_execution_environment()
    tables = StreamTableEnvironment.create(env)
    tables.get_config().set("table.local-time-zone", "UTC").set("pipeline.name", NAME)
    tables.execute_sql(SOURCE.format(bootstrap=bootstrap, topic=topic))
    tables.execute_sql(SINK)
    tables.execute_sql(QUERY)


if __name__ == "__main__":
    main()
