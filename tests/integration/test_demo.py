"""`tidewatch demo` ends by itself, says that every answer was right, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from contracts.settings import CONFIG_VARIABLE
from tests.conftest import CHECKOUT, make_settings

DEADLINE = 400.0  # seconds; machines of CI are slow, and may be busy with more than us


def test_a_short_demo_is_right_and_leaves_no_port_taken(tmp_path: Path) -> None:
    wanted: dict[str, Any] = make_settings(tmp_path)
    config = tmp_path / "demo.yaml"
    config.write_text(yaml.safe_dump(wanted))
    environment = {**os.environ, CONFIG_VARIABLE: str(config)}
    command = [sys.executable, "-m", "cli", "demo", "--seconds", "5"]
    done = subprocess.run(  # noqa: S603  # our own command
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "· passed" in done.stdout
    ports = [
        value for part in wanted.values() if isinstance(part, dict) for key, value in part.items() if "port" in key
    ]
    assert len(ports) > 10
    assert [port for port in ports if port and _is_taken(port)] == []


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
