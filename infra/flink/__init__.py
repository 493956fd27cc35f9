"""The pieces of `infra.flink_cluster`: REST, submission, what is known about jobs and where they can be resumed."""
