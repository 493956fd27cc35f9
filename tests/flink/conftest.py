"""A local Flink in a JVM of its own, for operators and whole jobs on collections: no cluster, real state and timers.

Its Python functions run in the process of the tests, in threads.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyFlink and Beam use, at import, much that is deprecated
    from pyflink import java_gateway
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment

    # Imported for the warnings' sake: they come when these are imported first.
    from pyflink.fn_execution.beam import beam_worker_pool_service  # noqa: F401
    from pyflink.table import StreamTableEnvironment  # noqa: F401

from contracts.settings import Settings

Environments = Callable[..., StreamExecutionEnvironment]
STOP_SECONDS = 120.0
# Jobs of seconds, whose generated code is compiled anew each time: the optimising compiler would take longer than they,
# and the verification of classes takes a sixth of the planner's time.
CHEAP = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"


@pytest.fixture(scope="session")
def jvm_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The JVM runs; the value is the folder of its temporary files and its log."""
    folder = tmp_path_factory.mktemp("flink")
    started: list[Popen[bytes]] = []
    launch = java_gateway.launch_gateway_server_process

    def launch_and_keep(env: dict[str, str], args: list[str]) -> Popen[bytes]:
        started.append(launch(env, args))
        return started[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLINK_LOG_DIR", str(folder))
        patch.setenv("JVM_ARGS", CHEAP)
        # PyFlink forgets the process, and so nobody would close its pipes.
        patch.setattr(java_gateway, "launch_gateway_server_process", launch_and_keep)
        gateway: Any = java_gateway.get_gateway()
    yield folder
    gateway.shutdown()
    for process in started:
        process.communicate(timeout=STOP_SECONDS)  # it ends when its input does


@pytest.fixture(scope="session")
def environments(jvm_folder: Path, settings: Settings) -> Environments:
    """`environments(parallelism, bundle_size, bundle_milliseconds)`: an environment whose jobs run in that JVM.

    With a bundle size of 1 each element and timer is through before the next watermark: what happens is certain then.
    """
    (connector,) = (settings.tools_path / "flink").glob("flink-sql-connector-kafka-*.jar")

    def make(
        parallelism: int = 1, bundle_size: int = 1000, bundle_milliseconds: int = 20
    ) -> StreamExecutionEnvironment:
        options = Configuration()
        options.set_string("python.executable", sys.executable)
        options.set_string("python.fn-execution.bundle.size", str(bundle_size))
        options.set_string("python.fn-execution.bundle.time", str(bundle_milliseconds))
        options.set_string("io.tmp.dirs", str(jvm_folder))
        env = StreamExecutionEnvironment.get_execution_environment(options)
        env.set_parallelism(parallelism)
        env.set_max_parallelism(128)
        env.add_jars(connector.as_uri())
        return env

    return make
