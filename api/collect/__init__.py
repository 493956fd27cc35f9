"""From HTTP to Kafka: a tag is acknowledged once the broker holds it."""
