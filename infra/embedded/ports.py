"""Which ports are taken, and by whom, before anything is started on them."""

import errno
import socket
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import psutil

from contracts.settings import PREFIX
from infra.embedded.part import Part, PartError


def refuse_taken(host: str, parts: Iterable[Part], more: Mapping[str, int] = MappingProxyType({})) -> None:
    """PartError that names each taken port with its setting and its holder. `more`: ports by setting, as of parts."""
    wanted = {setting: port for part in parts for setting, port in part.ports().items()} | dict(more)
    problems = [describe(setting, port) for setting, port in wanted.items() if is_taken(host, port)]
    doubled = sorted(setting for setting, port in wanted.items() if list(wanted.values()).count(port) > 1)
    if doubled:
        problems.append(f"the same port is set twice: {', '.join(doubled)}")
    if problems:
        raise PartError("\n".join(problems))


def is_taken(host: str, port: int) -> bool:
    """Whether a server could not listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: not held up by closed connections
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PartError(f"cannot listen on {host}:{port}: {error.strerror}; see the setting host") from None
            return True
    return False


def describe(setting: str, port: int) -> str:
    """What to tell about a taken port."""
    variable = PREFIX + setting.upper().replace(".", "__")
    return f"port {port} ({setting}) is taken by {_holder(port)}: stop that, or set {variable} to a free port"


def _holder(port: int) -> str:
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
        if listens and connection.pid:
            return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "a process of another user"
