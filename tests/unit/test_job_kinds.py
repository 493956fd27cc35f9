"""What the jobs have in common, and what each has otherwise."""

from cli.job_start import DATA, DETECTION, JOBS, Start, arguments
from contracts.settings_source import load
from infra import package
from infra.flink.options import DETECTION_MODULE, job_options

SETTINGS = load(detection={"checkpoint_seconds": 1.5, "parallelism": 1})
IDS = {"user-tags": "1", "series": "2", "dead-letters": "3", "points": "4"}


def test_each_job_is_told_the_topic_that_it_reads() -> None:
    assert arguments(SETTINGS, DATA, IDS, Start("chk-1")) == ["--topic-id", "user-tags=1", "--topic-id", "points=4"]
    assert arguments(SETTINGS, DETECTION, IDS, Start(None)) == ["--topic-id", "series=2", "--start", "earliest"]


def test_jobs_share_no_files_and_no_groups() -> None:
    kinds = JOBS.values()
    assert len({kind.name for kind in kinds}) == len({kind.module for kind in kinds}) == len(JOBS)
    pipelines = [pipeline for kind in kinds for reading in kind.readings for pipeline in reading.pipelines]
    assert len(set(pipelines)) == len(pipelines)


def test_every_job_s_module_is_packed() -> None:
    packed = {file.relative_to(package.ROOT).as_posix() for file in package.sources()}
    assert {f"{kind.module.replace('.', '/')}.py" for kind in JOBS.values()} <= packed


def test_detection_alone_has_short_checkpoints_of_what_changed() -> None:
    ours, others = job_options(SETTINGS, DETECTION_MODULE), job_options(SETTINGS, DATA.module)
    assert DETECTION.module == DETECTION_MODULE
    assert others == job_options(SETTINGS)
    interval, incremental = "execution.checkpointing.interval", "execution.checkpointing.incremental"
    assert (ours[interval], ours[incremental]) == ("1500 ms", "true")
    assert (others[interval], others[incremental]) == ("10000 ms", "false")


def test_an_operator_s_options_win() -> None:
    settings = load(flink={"options": {"execution.checkpointing.interval": "7 s"}})
    assert job_options(settings, DETECTION_MODULE)["execution.checkpointing.interval"] == "7 s"
