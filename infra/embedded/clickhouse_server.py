"""A real ClickHouse server out of the chdb-core wheel: `python -I clickhouse_server.py DATA_FOLDER CONFIG_FOLDER`.

The wheel holds the whole server as a library for use in a process. Its low-level `query` starts everything that
`config.xml` in the working directory asks for, listeners included, and runs as long as the query: one that reads a
FIFO, which SIGTERM ends. This is not public API of the wheel: the pinned version is what was tested.
"""

import ctypes
import importlib.util
import os
import signal
import sys
import threading
from types import ModuleType

RTLD_DEEPBIND = 8  # as chdb itself loads it: its symbols must not be mixed with those of other libraries
ATTEMPT_SECONDS = 0.1


def load_engine() -> ModuleType:
    """The extension module by itself; importing `chdb` would open a database of its own."""
    package = importlib.util.find_spec("chdb")
    if package is None or not package.submodule_search_locations:
        sys.exit("chdb-core is not installed: run `make setup`")
    library = os.path.join(package.submodule_search_locations[0], "_chdb.abi3.so")
    os.chdir(os.path.dirname(library))
    ctypes.CDLL(library, mode=sys.getdlopenflags() | RTLD_DEEPBIND)
    spec = importlib.util.spec_from_file_location("_chdb", library)
    if spec is None or spec.loader is None:
        sys.exit(f"cannot load {library}")
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    return engine


def serve(data: str, config: str) -> int:
    """Serves until SIGTERM; the exit status is 0 then, 1 when the server ended by itself."""
    engine = load_engine()
    os.chdir(config)
    fifo = os.path.join(data, "stop.fifo")
    if os.path.exists(fifo):
        os.unlink(fifo)
    os.mkfifo(fifo)
    listen = "SYSTEM START LISTEN QUERIES ALL; "
    statement = listen + f"SELECT * FROM file('{fifo}', LineAsString) FORMAT Null"  # noqa: S608  # a path of our own
    server = threading.Thread(target=lambda: engine.query(statement, "TSV", path=data))
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    server.start()
    while server.is_alive():
        server.join(ATTEMPT_SECONDS)  # the main thread must come back to Python for its signal handlers
        if asked.is_set():
            _end_reading(fifo)
    return 0 if asked.is_set() else 1


def _end_reading(fifo: str) -> None:
    """Opens and closes the FIFO for writing, which its reader sees as the end."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return  # not being read yet: still starting


if __name__ == "__main__":
    sys.exit(serve(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])))
