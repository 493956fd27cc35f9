"""ClickHouse from the chdb-core wheel, as a server of its own."""

import os
import sys
from hashlib import sha256
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final, TypeAlias
from xml.etree import ElementTree

from pydantic import SecretStr

from infra.embedded.part import Part, http_reason

SERVER = Path(__file__).with_name("clickhouse_server.py")
MEGABYTE = 1_048_576
Tree: TypeAlias = "dict[str, Tree | list[str] | str | int | None]"
LOOPBACK: Final[Tree] = {"ip": ["127.0.0.1", "::1"]}  # user `default` has no password: never reachable from outside


class ClickHouse(Part):
    """One server, one data folder; every acknowledged row survives SIGKILL."""

    name = "clickhouse"
    niced = True

    @property
    def _folder(self) -> Path:
        return self.settings.state_path / "clickhouse"

    def prepare(self) -> None:
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        (self._folder / "conf").mkdir(exist_ok=True)
        _write_xml(self._folder / "conf" / "config.xml", self._config())
        _write_xml(self._folder / "conf" / "users.xml", self._users())

    def _config(self) -> Tree:
        clickhouse = self.settings.clickhouse
        return {
            "logger": {"console": 1},
            "log-level": "warning",  # the library takes its level from here, not from the logger's section
            "listen_host": self.settings.host,
            "http_port": clickhouse.port,
            "tcp_port": clickhouse.native_port,
            "users_config": "users.xml",
            "timezone": "UTC",
            "max_server_memory_usage": clickhouse.memory_mb * MEGABYTE,
            "max_concurrent_queries": 50,
            "mark_cache_size": 64 * MEGABYTE,
            "uncompressed_cache_size": 16 * MEGABYTE,
            "background_pool_size": 2,
            "background_schedule_pool_size": 16,
            "keep_alive_timeout": 30,
            "access_control_improvements": {"select_from_system_db_requires_grant": "true"},
            "query_log": {
                "database": "system",
                "table": "query_log",
                "ttl": "event_date + INTERVAL 3 DAY DELETE",
                "flush_interval_milliseconds": 5000,
            },
            "http_handlers": {"defaults": None},
        }

    def _users(self) -> Tree:
        clickhouse = self.settings.clickhouse
        # The process itself asks as `default`, which therefore has no password: it may only start the listeners.
        own = ["GRANT SYSTEM LISTEN ON *.*", "GRANT CREATE TEMPORARY TABLE ON *.*", "GRANT READ ON FILE"]
        reader = [f"GRANT SELECT ON `{clickhouse.database}`.*"]
        return {
            "profiles": {"default": {"max_threads": 2}, "reader": self._reader_limits()},
            "users": {
                "default": {**_user(None, "default", LOOPBACK), "grants": _grants(own)},
                clickhouse.user: _user(clickhouse.password, "default", self._networks()),
                clickhouse.reader: {
                    **_user(clickhouse.reader_password, "reader", self._networks()),
                    "grants": _grants(reader),
                },
            },
            "quotas": {"default": None},
        }

    def _networks(self) -> Tree:
        """Who may connect: this machine; anyone with the password when the settings bind wider."""
        return LOOPBACK if self.settings.is_private else {"ip": ["::/0"]}

    def _reader_limits(self) -> Tree:
        clickhouse = self.settings.clickhouse
        limits = {
            "max_execution_time": clickhouse.reader_seconds,
            "max_memory_usage": clickhouse.reader_memory_mb * MEGABYTE,
            "max_result_rows": clickhouse.reader_rows,
            "max_result_bytes": clickhouse.reader_answer_mb * MEGABYTE,
        }
        bounds: Tree = {name: {"min": 1, "max": limit} for name, limit in limits.items()}
        return {"readonly": 2, "max_threads": 2, **limits, "constraints": bounds}

    def command(self) -> list[str]:
        return [sys.executable, "-I", str(SERVER), str(self._folder / "data"), str(self._folder / "conf")]

    def ready(self) -> str | None:
        clickhouse = self.settings.clickhouse
        scheme = "https" if clickhouse.secure else "http"
        return http_reason(f"{scheme}://{self.settings.clickhouse_host}:{clickhouse.port}/ping")

    def ports(self) -> dict[str, int]:
        clickhouse = self.settings.clickhouse
        return {"clickhouse.port": clickhouse.port, "clickhouse.native_port": clickhouse.native_port}

    def version(self) -> str:
        return installed("chdb-core")


def _user(password: SecretStr | None, profile: str, networks: Tree) -> Tree:
    secret: Tree = {"password": None}
    if password is not None:
        secret = {"password_sha256_hex": sha256(password.get_secret_value().encode()).hexdigest()}
    return {**secret, "networks": networks, "profile": profile, "quota": "default"}


def _grants(statements: list[str]) -> Tree:
    return {"query": list(statements)}


def _write_xml(path: Path, tree: Tree) -> None:
    """Readable by the owner alone from the moment it exists."""
    root = ElementTree.Element("clickhouse")
    _fill(root, tree)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(ElementTree.tostring(root))


def _fill(element: ElementTree.Element, tree: Tree) -> None:
    for name, value in tree.items():
        for entry in value if isinstance(value, list) else [value]:
            child = ElementTree.SubElement(element, name)
            if isinstance(entry, dict):
                _fill(child, entry)
            elif entry is not None:
                child.text = str(entry)
