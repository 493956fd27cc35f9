"""A local Flink in the test's own process, for operators on collections: no Kafka, no cluster, real state and timers."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyFlink and Beam use, at import, much that is deprecated
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import StreamTableEnvironment  # noqa: F401  # imported here for the warnings' sake

Environments = Callable[..., StreamExecutionEnvironment]


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    """`environments(parallelism, bundle_size)`: an environment whose jobs run in this process's JVM.

    With a bundle size of 1 each element and timer is through before the next watermark: what happens is certain then.
    """
    folder = tmp_path_factory.mktemp("flink")
    before = os.environ.get("PYTHONPATH")
    # Read by the JVM, which starts with the first environment, for the Python workers that it starts.
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])

    def make(parallelism: int = 1, bundle_size: int = 1000) -> StreamExecutionEnvironment:
        options = Configuration()
        options.set_string("python.executable", sys.executable)
        options.set_string("python.fn-execution.bundle.size", str(bundle_size))
        options.set_string("python.fn-execution.bundle.time", "20")
        options.set_string("io.tmp.dirs", str(folder))
        options.set_string("taskmanager.numberOfTaskSlots", "4")
        env = StreamExecutionEnvironment.get_execution_environment(options)
        env.set_parallelism(parallelism)
        env.set_max_parallelism(128)
        return env

    yield make
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
