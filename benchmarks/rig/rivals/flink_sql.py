"""The same counts a minute in pure Flink SQL, one JSON object a record: `-pym rivals.flink_sql BOOTSTRAP TOPIC`.

No Python runs in it but this client. What it counts goes nowhere (`blackhole`).
"""

import sys

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

NAME = "rival-flink-sql"
SOURCE = """
CREATE TABLE events (
    `time` TIMESTAMP_LTZ(3), cookie STRING, country STRING, device STRING, action STRING, origin STRING,
    product_info ROW<product_id STRING, brand_id STRING, category_id STRING, price INT>,
    WATERMARK FOR `time` AS `time` - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{bootstrap}',
        'properties.group.id' = 'rival', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
        'json.timestamp-format.standard' = 'ISO-8601')
"""
SINK = """
CREATE TABLE counts (
    `minute` TIMESTAMP_LTZ(3), action STRING, origin STRING, brand_id STRING, category_id STRING,
    events BIGINT, sum_price BIGINT
) WITH ('connector' = 'blackhole')
"""
QUERY = """
INSERT INTO counts
SELECT window_start, action, origin, product_info.brand_id, product_info.category_id,
    COUNT(*), SUM(CAST(product_info.price AS BIGINT))
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(`time`), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, action, origin, product_info.brand_id, product_info.category_id
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
