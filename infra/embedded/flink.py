"""A standalone Flink session cluster from the apache-flink wheel: one JobManager, one TaskManager.

The wheel's own start scripts would start four more JVMs to read the configuration, and fork. Here each part is the
java process itself, with the options that Flink's own calculator (BashJavaUtils) gave for this configuration.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.settings import Settings
from infra.embedded.java import classpath, java
from infra.embedded.part import PROBE_SECONDS, Part, PartError, http_reason
from infra.flink.client import flink_folders
from infra.flink.client import flink_home as wheel_home
from infra.flink.options import job_options
from infra.flink.rest import FlinkError, Rest

CALCULATOR: Final = "org.apache.flink.runtime.util.bash.BashJavaUtils"
RESULT_MARK: Final = "BASH_JAVA_UTILS_EXEC_RESULT:"
REPORTER: Final = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
PYTHON_MEMORY_MB: Final = 128  # reserved for Python workers; what they really use lies outside of Flink's account

LOGGING: Final = """
rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.name = stdout
appender.stdout.type = CONSOLE
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c{1} - %m%n
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.beam.name = org.apache.beam
logger.beam.level = WARN
"""


class FlinkPart(Part):
    """What JobManager and TaskManager share: their configuration, in a folder each."""

    niced = True
    main_class: str
    calculation: str

    @property
    def _folder(self) -> Path:
        return self.settings.state_path / "flink" / self.name

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        options = {**cluster_options(self.settings), **self.own_options()}
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in sorted(options.items())]  # JSON is YAML
        (self._folder / "config.yaml").write_text("".join(lines))
        (self._folder / "log4j.properties").write_text(LOGGING)
        self._calculate()

    def own_options(self) -> dict[str, object]:
        raise NotImplementedError

    def jvm_options(self) -> list[str]:
        """What the JVM is told besides the sizes of its memory."""
        raise NotImplementedError

    def command(self) -> list[str]:
        jvm, dynamic = json.loads((self._folder / "calculated.json").read_text())["result"]
        logging = f"-Dlog4j.configurationFile={self._folder / 'log4j.properties'}"
        common = ["-XX:-UsePerfData", "-XX:+IgnoreUnrecognizedVMOptions", *opened_modules(), logging]
        libraries = ["-classpath", classpath(self.settings, "flink")]
        program = [self.main_class, "--configDir", str(self._folder), *dynamic]
        return [java(), *jvm, *self.jvm_options(), *common, *libraries, *program]

    def _calculate(self) -> None:
        """Sizes of heap and the rest; kept beside the configuration, because asking takes a JVM and a second."""
        text = (self._folder / "config.yaml").read_text() + installed("apache-flink")
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = self._folder / "calculated.json"
        if known.exists() and json.loads(known.read_text())["digest"] == digest:
            return
        jars = f"{flink_home() / 'bin' / 'bash-java-utils.jar'}:{classpath(self.settings, 'flink')}"
        cheap = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        command = [java(), *cheap, "-cp", jars, CALCULATOR, self.calculation, "--configDir", str(self._folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # Flink's own tool
        results = [line.removeprefix(RESULT_MARK) for line in answer.stdout.splitlines() if RESULT_MARK in line]
        if len(results) != 2:
            raise PartError(f"{self.name}: Flink refuses its configuration:\n{answer.stdout}{answer.stderr}")
        known.write_text(json.dumps({"digest": digest, "result": [line.split() for line in results]}))

    def environment(self) -> dict[str, str]:
        return flink_environment(self.settings, self._folder)

    def rest(self) -> Rest:
        return Rest(self.settings.flink_host, self.settings.flink.port, PROBE_SECONDS)

    def version(self) -> str:
        return installed("apache-flink")


class JobManager(FlinkPart):
    """Holds the jobs; they are gone with it and must be submitted again."""

    name = "flink-jobmanager"
    main_class = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
    calculation = "GET_JM_RESOURCE_PARAMS"

    def jvm_options(self) -> list[str]:
        """It moves no data: quick to start is what counts."""
        return ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

    def own_options(self) -> dict[str, object]:
        return {"metrics.reporter.prom.port": str(self.settings.flink.jobmanager_metrics_port)}

    def ready(self) -> str | None:
        flink = self.settings.flink
        return http_reason(f"http://{self.settings.flink_host}:{flink.port}/overview")

    def ports(self) -> dict[str, int]:
        flink = self.settings.flink
        metrics = {"flink.jobmanager_metrics_port": flink.jobmanager_metrics_port}
        return {"flink.port": flink.port, "flink.jobmanager_port": flink.jobmanager_port, **metrics}


class TaskManager(FlinkPart):
    """Runs the jobs' tasks, and the Python workers, which belong to its process group."""

    name = "flink-taskmanager"
    main_class = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
    calculation = "GET_TM_RESOURCE_PARAMS"
    _identity = ""  # of this start: the JobManager remembers a killed one for a while

    def jvm_options(self) -> list[str]:
        """The optimising compiler, niced or not, takes half a core for minutes, and answers wait."""
        return ["-XX:+UseG1GC", *([] if self.settings.flink.optimise else ["-XX:TieredStopAtLevel=1"])]

    def own_options(self) -> dict[str, object]:
        return {"metrics.reporter.prom.port": str(self.settings.flink.taskmanager_metrics_port)}

    def prepare(self) -> None:
        super().prepare()
        self._identity = f"taskmanager-{uuid.uuid4().hex[:8]}"

    def command(self) -> list[str]:
        return [*super().command(), "-D", f"taskmanager.resource-id={self._identity}"]

    def ready(self) -> str | None:
        """As the JobManager sees it: this process, or any when the cluster is an outside one."""
        try:
            registered: Any = self.rest().get("/taskmanagers")["taskmanagers"]
        except FlinkError as error:
            return str(error)
        known = any(self._identity in (one["id"], "") for one in registered)
        return None if known else "not registered with the JobManager"

    def ports(self) -> dict[str, int]:
        return {"flink.taskmanager_metrics_port": self.settings.flink.taskmanager_metrics_port}


def cluster_options(settings: Settings) -> dict[str, object]:
    """`config.yaml` for one machine, in Flink's names."""
    flink, host = settings.flink, settings.host
    state = settings.state_path / "flink"
    rocksdb = flink.state_backend == "rocksdb"
    return {
        **job_options(settings),
        "env.java.opts.all": " ".join(opened_modules()),
        "jobmanager.rpc.address": host,
        "jobmanager.rpc.port": str(flink.jobmanager_port),
        "jobmanager.bind-host": host,
        "jobmanager.memory.process.size": f"{flink.jobmanager_mb}m",
        "jobmanager.execution.failover-strategy": "region",
        "rest.address": host,
        "rest.bind-address": host,
        "rest.port": str(flink.port),
        "rest.bind-port": str(flink.port),
        "taskmanager.host": host,
        "taskmanager.bind-host": host,
        "taskmanager.numberOfTaskSlots": str(flink.slots),
        "taskmanager.memory.process.size": f"{flink.taskmanager_mb}m",
        "taskmanager.memory.task.off-heap.size": f"{flink.taskmanager_off_heap_mb}m",
        # The heap backend needs no managed memory but the share that Flink demands for Python.
        **({} if rocksdb else {"taskmanager.memory.managed.size": f"{PYTHON_MEMORY_MB}m"}),
        # By default a TaskManager that starts before the JobManager asks again after 10 s.
        "cluster.registration.error-delay": "500 ms",
        "cluster.registration.refused-registration-delay": "500 ms",
        "heartbeat.interval": "2 s",
        "heartbeat.timeout": "10 s",  # after which a lost TaskManager's work is given to another
        "io.tmp.dirs": str(state / "tmp"),
        "blob.storage.directory": str(state / "tmp"),
        "metrics.reporters": "prom",
        "metrics.reporter.prom.factory.class": REPORTER,
    }


def flink_environment(settings: Settings, conf: Path) -> dict[str, str]:
    """Where Flink finds itself and the interpreter, with every folder it writes to outside of the wheel."""
    state = settings.state_path / "flink"
    (state / "tmp").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": "",  # the jobs' code is shipped with them
        **flink_folders(settings),
        "FLINK_CONF_DIR": str(conf),
        "FLINK_LOG_DIR": str(state / "tmp"),
        "FLINK_PID_DIR": str(state / "tmp"),
        "NUMBA_CACHE_DIR": str(settings.tools_path / "compiled"),  # what workers compile outlives the state folder
    }


def flink_home() -> Path:
    """Of the distribution in the wheel; PartError when it is not installed."""
    try:
        return wheel_home()
    except FlinkError as error:
        raise PartError(str(error)) from None


def opened_modules() -> list[str]:
    """JVM options that Flink needs on Java 17, as its own distribution lists them."""
    shipped = yaml.safe_load((flink_home() / "conf" / "config.yaml").read_text())
    options: str = shipped["env"]["java"]["opts"]["all"]
    return options.split()


def clear_temporary(settings: Settings) -> None:
    """Removes what killed Flink processes left behind; to be called while none runs."""
    shutil.rmtree(settings.state_path / "flink" / "tmp", ignore_errors=True)
