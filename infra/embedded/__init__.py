"""Real Kafka, Flink and ClickHouse as child processes of one supervisor, for a laptop and for tests."""
