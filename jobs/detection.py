"""The Flink job `detection`: the pipeline anomalies over closed bins.

A job of its own, so that paging does not wait for storage: the sinks of `data`, and their checkpoints, are not its own.

Run by `flink run -pym jobs.detection --topic-id series=UUID`; the settings are read where it is submitted.
"""

from contracts.names import DETECTION_JOB
from jobs import anomalies
from jobs.run import run


def main() -> None:
    run(DETECTION_JOB, anomalies.build, ["series"])


if __name__ == "__main__":
    main()
