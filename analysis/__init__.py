"""Everything computed, free of engines: no Flink, Kafka, Flask or database client is imported here, no clock read."""
