"""Sessions with what keeps state outside of Flink: ClickHouse and the profile store."""
