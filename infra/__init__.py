"""What the platform runs on: the embedded stack, Flink clusters, topics and logs of Kafka, images."""
