"""`python -m infra.flink.node jobmanager|taskmanager`: one process of a Flink cluster that spans containers.

The embedded cluster's parts, listening on all addresses and known to each other by name; this process becomes the JVM.
The JobManager is found at the settings' flink.host and flink.jobmanager_port. High availability, S3 and whatever else a
cluster needs come by the setting `flink.options`, in Flink's own names.
"""

import os
import socket
import sys
from typing import Final

from contracts.settings import SettingsError
from contracts.settings_source import load
from infra.embedded.flink import FlinkPart, JobManager, TaskManager
from infra.embedded.part import PartError

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104  # other containers are the callers; what is published is compose's choice


class Node(FlinkPart):
    """An embedded part that others reach over the network."""

    def own_options(self) -> dict[str, object]:
        return {
            **super().own_options(),
            "jobmanager.rpc.address": self.settings.flink_host,
            "jobmanager.bind-host": EVERYWHERE,
            "rest.address": self.settings.flink_host,
            "rest.bind-address": EVERYWHERE,
            # An address and no name: what a container is called need not be known to others.
            "taskmanager.host": socket.gethostbyname(socket.gethostname()),
            "taskmanager.bind-host": EVERYWHERE,
            **self.settings.flink.options,
        }


class JobManagerNode(Node, JobManager):
    """The JobManager for other containers."""


class TaskManagerNode(Node, TaskManager):
    """A TaskManager for other containers."""


NODES: Final[dict[str, type[Node]]] = {"jobmanager": JobManagerNode, "taskmanager": TaskManagerNode}


def main() -> None:
    """Exit status 2 when the settings or the arguments cannot be used; otherwise the JVM's."""
    if len(sys.argv) != 2 or sys.argv[1] not in NODES:
        sys.exit(f"usage: python -m infra.flink.node {'|'.join(NODES)}")
    try:
        node = NODES[sys.argv[1]](load())
        node.prepare()
        command = node.command()
    except (SettingsError, PartError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    os.chdir(node.settings.state_path / "flink")
    os.execvpe(command[0], command, {**os.environ, **node.environment()})  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
