"""What others would do: jobs that are shipped to Flink beside ours."""
