"""The Flink jobs: one pipeline a file, read from top to bottom: source, transform, sink."""
