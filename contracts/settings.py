"""Every port, path, size and credential is a setting, with its default here.

Order of precedence: `TIDEWATCH_…` environment (nested by two underscores, `TIDEWATCH_KAFKA__PORT=9092`), then
the YAML file named by `TIDEWATCH_CONFIG` (or `tidewatch --config`), then the defaults. An unknown setting is an
error in both places. Secrets are `SecretStr`: printed and logged as `**********`.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contracts import names

PREFIX: Final = "TIDEWATCH_"
CONFIG_VARIABLE: Final = "TIDEWATCH_CONFIG"
SECRET: Final = re.compile("secret|password|token|key", re.IGNORECASE)  # in the names of Flink's own options
MASK: Final = str(SecretStr("secret"))  # what `effective` shows for one


class SettingsError(Exception):
    """The settings cannot be used; the message lists each with what is wrong."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Topic(Section):
    """`partitions` spread a stream over the jobs' subtasks; `live` streams follow the clock and are sent ticks."""

    name: str
    partitions: int = Field(default=2, ge=1, le=128)
    live: bool = False


class Topics(Section):
    user_tags: Topic = Topic(name=names.USER_TAGS)
    series: Topic = Topic(name=names.SERIES)
    dead_letters: Topic = Topic(name=names.DEAD_LETTERS, partitions=1)


class Kafka(Section):
    """`bootstrap_servers` empty: the embedded broker at host:port. `security` holds librdkafka's names."""

    bootstrap_servers: str = ""
    port: int = 9092
    controller_port: int = 9093
    heap_mb: int = 384
    replication_factor: int = 1
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    max_record_bytes: int = 8_388_608


class ClickHouse(Section):
    """`user` owns the tables; `reader` is the read-only user that the API queries as."""

    host: str = ""
    port: int = 8123
    native_port: int = 9000
    database: str = "tidewatch"
    user: str = "tidewatch"
    password: SecretStr = SecretStr("tidewatch")
    reader: str = "reader"
    reader_password: SecretStr = SecretStr("reader")
    reader_seconds: int = Field(default=30, ge=1)  # at most, of one query
    reader_memory_mb: int = Field(default=500, ge=50)  # at most, of one query
    reader_rows: int = Field(default=1_000_000, ge=1)  # at most, of one answer
    secure: bool = False
    memory_mb: int = 1500
    archive_days: int = Field(default=30, ge=1)
    aggregates_days: int = Field(default=90, ge=1)


class Flink(Section):
    """The session cluster. `parallelism` at most the slots of all TaskManagers."""

    host: str = ""
    port: int = 8081
    jobmanager_port: int = 6123
    jobmanager_metrics_port: int = 9249
    taskmanager_metrics_port: int = 9250
    parallelism: int = Field(default=2, ge=1)
    max_parallelism: int = Field(default=128, ge=1, le=32768)  # fixed for the life of the state
    slots: int = Field(default=4, ge=1)
    jobmanager_mb: int = 1024
    taskmanager_mb: int = 2560
    taskmanager_off_heap_mb: int = 256
    checkpoint_seconds: float = Field(default=10, gt=0)
    checkpoint_dir: str = ""  # empty: below state_dir
    savepoint_dir: str = ""
    state_backend: Literal["hashmap", "rocksdb"] = "hashmap"
    python: str = ""  # empty: the interpreter that submits
    bundle_size: int = 1000
    bundle_milliseconds: int = 100
    deploy_seconds: float = Field(default=180, gt=0)  # at most, of a savepoint, a submission, the first checkpoints
    options: dict[str, str] = {}  # Flink's own, for clusters that are not embedded; they win over what we derive
    ship_requirements: bool = False  # workers install what jobs need first: for clusters not made of our image


class Profiles(Section):
    """Where profiles are kept; `keep` of each list (the contract shows 200 of them)."""

    kind: Literal["lmdb", "redis"] = "lmdb"
    path: str = ""  # empty: below state_dir
    map_size_gb: float = 64  # the most the LMDB file may grow to; costs nothing until used
    sync: bool = False  # LMDB: each commit waits for the disk, which a power cut (not a kill) needs
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    keep: int = Field(default=256, ge=200)


class Api(Section):
    """The HTTP API. `tokens` empty: no authentication, allowed on loopback only."""

    port: int = 8080
    workers: int = Field(default=1, ge=1)
    threads: int = Field(default=8, ge=1)  # of the Flask app
    queue: int = Field(default=64, ge=1)  # calls of the Flask app that may wait for a thread
    tokens: list[SecretStr] = []
    linger_milliseconds: float = Field(default=20, ge=0)  # Flink pays per record: longer is cheaper, and later
    batch_lines: int = Field(default=500, ge=1)
    bulk_rows: int = Field(default=5000, ge=1)
    max_body_bytes: int = 16_777_216  # after decompression
    buffer_bytes: int = 67_108_864  # of what waits for the broker
    breaker_seconds: float = Field(default=1.5, gt=0)
    delivery_timeout_seconds: float = Field(default=10, gt=0)
    max_range_minutes: int = Field(default=1440, ge=10)
    query_seconds: float = Field(default=30, gt=0)  # for an answer of ClickHouse


class Jobs(Section):
    """Clocks and bounds of the Flink jobs' operators, in seconds and bytes."""

    archive_seconds: float = Field(default=1, gt=0)
    aggregates_seconds: float = Field(default=4, gt=0)
    profiles_seconds: float = Field(default=0.5, gt=0)
    buffer_bytes: int = 33_554_432  # a partition's backlog in state before its operator pushes back
    flush_bytes: int = 4_194_304  # flushed or folded at once when a partition's buffer holds this much
    series_shards: int = Field(default=2, ge=1, le=128)
    watermark_delay_seconds: int = 5
    idle_seconds: int = 2
    series_lateness_minutes: int = 60


class Detection(Section):
    """`sets_dir`: labelled series that the benchmark of detectors measures with."""

    sets_dir: Path = Path("var/sets")


class Supervisor(Section):
    """The process that keeps the embedded parts alive; its own health and metrics port."""

    port: int = 8090
    start_timeout_seconds: float = 180
    stop_timeout_seconds: float = 20
    nice: int = Field(default=15, ge=0, le=19)  # of Flink and ClickHouse, so that answers stay fast


Part = Literal["kafka", "clickhouse", "flink", "api"]


class Settings(BaseSettings):
    """All settings; `load()` reads them, `effective(settings)` shows them with secrets masked."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Path = Path()  # what relative folders start from; `tidewatch` sets it to its checkout
    state_dir: Path = Path("var/state")
    tools_dir: Path = Path("var/tools")  # jars that the set-up fetched
    host: str = "127.0.0.1"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    embedded: list[Part] = ["kafka", "clickhouse", "flink", "api"]  # parts that `tidewatch up` runs itself
    topics: Topics = Topics()
    kafka: Kafka = Kafka()
    clickhouse: ClickHouse = ClickHouse()
    flink: Flink = Flink()
    profiles: Profiles = Profiles()
    api: Api = Api()
    jobs: Jobs = Jobs()
    detection: Detection = Detection()
    supervisor: Supervisor = Supervisor()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `load` passes in, which came from the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _wide_binding_demands_tokens(self) -> "Settings":
        if "api" in self.embedded and not self.is_private and not self.api.tokens:
            raise ValueError(f"host {self.host} is reachable from outside: set api.tokens, or host to 127.0.0.1")
        return self

    # What the rest of the code asks for, so that "empty means embedded" is decided in one place.

    @property
    def is_private(self) -> bool:
        """Whether what binds to `host` is out of reach from other machines."""
        return _is_loopback(self.host)

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers or f"{self.host}:{self.kafka.port}"

    @property
    def kafka_client(self) -> dict[str, str]:
        """How a librdkafka client reaches the broker."""
        kafka = self.kafka
        options = {"bootstrap.servers": self.bootstrap_servers, "security.protocol": kafka.security_protocol}
        if kafka.sasl_mechanism:
            options["sasl.mechanism"] = kafka.sasl_mechanism
            options["sasl.username"] = kafka.sasl_username
            options["sasl.password"] = kafka.sasl_password.get_secret_value()
        return options

    @property
    def clickhouse_host(self) -> str:
        return self.clickhouse.host or self.host

    @property
    def flink_host(self) -> str:
        return self.flink.host or self.host

    @property
    def state_path(self) -> Path:
        return (self.home / self.state_dir).absolute()

    @property
    def tools_path(self) -> Path:
        return (self.home / self.tools_dir).absolute()

    @property
    def sets_path(self) -> Path:
        return (self.home / self.detection.sets_dir).absolute()

    @property
    def profiles_path(self) -> Path:
        return Path(self.profiles.path or self.state_path / "profiles")

    @property
    def checkpoint_dir(self) -> str:
        return self.flink.checkpoint_dir or (self.state_path / "flink" / "checkpoints").as_uri()

    @property
    def savepoint_dir(self) -> str:
        return self.flink.savepoint_dir or (self.state_path / "flink" / "savepoints").as_uri()


def load(path: str | Path | None = None, **overrides: Any) -> Settings:
    """The effective settings; SettingsError lists every setting that is unknown or out of bounds.

    `overrides` are top-level settings that win over the file, not over the environment.
    """
    source = path or os.environ.get(CONFIG_VARIABLE)
    values = _read_yaml(Path(source)) if source else {}
    _refuse_unknown_variables()
    if MASK in str(values):
        raise SettingsError(f"settings file {source} holds {MASK} in place of a secret: fill it in, or leave it out")
    try:
        return Settings(**{**values, **overrides})
    except ValidationError as error:
        problems = [f"  {'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise SettingsError("\n".join(["settings are not usable:", *problems])) from None


def effective(settings: Settings) -> str:
    """The settings as YAML, secrets masked."""
    values = settings.model_dump(mode="json")
    options = values["flink"]["options"]
    values["flink"]["options"] = {name: MASK if SECRET.search(name) else value for name, value in options.items()}
    text: str = yaml.safe_dump(values, sort_keys=False)
    return text


def dump(settings: Settings) -> str:
    """The settings as YAML that `load` reads back to the same, secrets in clear: for files of mode 0600 only."""
    text: str = yaml.safe_dump(plain(settings.model_dump()), sort_keys=False)
    return text


def plain(value: Any) -> Any:
    """Of `model_dump` what YAML can hold."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value)
        case float() if value.is_integer():  # a default such as 1 stays an int where a file's becomes 1.0
            return int(value)
        case _:
            return value


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"settings file {path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"settings file {path} must hold a mapping of settings")
    return values


def _refuse_unknown_variables() -> None:
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            path = variable.removeprefix(PREFIX).lower().split("__")
            if not _exists(Settings, path):
                raise SettingsError(f"unknown setting in the environment: {variable} (tidewatch config lists all)")


def _exists(model: type[BaseModel], path: list[str]) -> bool:
    field = model.model_fields.get(path[0])
    if field is None or len(path) == 1:
        return field is not None
    inner = field.annotation
    return isinstance(inner, type) and issubclass(inner, BaseModel) and _exists(inner, path[1:])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
