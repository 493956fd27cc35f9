"""Every port, path, size and credential is a setting, with its default here.

Order of precedence: `TIDEWATCH_…` environment (nested by two underscores, `TIDEWATCH_KAFKA__PORT=9092`), then
the YAML file named by `TIDEWATCH_CONFIG` (or `tidewatch --config`), then the defaults. An unknown setting is an
error in both places. Secrets are `SecretStr`: printed and logged as `**********`.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contracts import names

PREFIX: Final = "TIDEWATCH_"
CONFIG_VARIABLE: Final = "TIDEWATCH_CONFIG"
# The least between two canaries: there must be a bin of ten seconds without any between theirs, in which one is over.
CANARY_SECONDS: Final = 20
MASK: Final = str(SecretStr("secret"))  # what `settings_text.effective` shows for one


Job = Literal["data", "detection", "patterns"]
Port = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[int, Field(gt=0)]


class SettingsError(Exception):
    """The settings cannot be used; the message lists each with what is wrong."""


class Section(BaseModel):
    """Settings that belong together; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Topic(Section):
    """`partitions` spread a stream over the jobs' subtasks; `live` streams follow the clock and are sent ticks."""

    name: str
    partitions: int = Field(default=2, ge=1, le=128)
    live: bool = False


class Topics(Section):
    """The platform's topics; `infra.topics` creates them."""

    user_tags: Topic = Topic(name=names.USER_TAGS)
    points: Topic = Topic(name=names.POINTS, live=True)
    series: Topic = Topic(name=names.SERIES)
    rules: Topic = Topic(name=names.RULES, partitions=1)
    alerts: Topic = Topic(name=names.ALERTS, partitions=1)
    dead_letters: Topic = Topic(name=names.DEAD_LETTERS, partitions=1)


class Kafka(Section):
    """`bootstrap_servers` empty: the embedded broker at host:port. `security_protocol` and `sasl_…` are
    librdkafka's, for outside ones."""

    bootstrap_servers: str = ""
    port: Port = 9092
    controller_port: Port = 9093
    heap_mb: Positive = 384
    replication_factor: int = 1
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    max_record_bytes: Positive = 8_388_608
    log_bytes: int = Field(default=0, ge=0)  # of the log of user-tags, which is trimmed beyond it; 0: never
    points_bytes: int = Field(default=0, ge=0)  # of the log of points, likewise
    series_bytes: int = Field(default=1_073_741_824, ge=1_048_576)  # of the log of series, by topics made from now on


class ClickHouse(Section):
    """`user` owns the tables; `reader` is the read-only user that the API queries as."""

    host: str = ""
    port: Port = 8123
    native_port: Port = 9000
    database: str = "tidewatch"
    user: str = "tidewatch"
    password: SecretStr = SecretStr("tidewatch")
    reader: str = "reader"
    reader_password: SecretStr = SecretStr("reader")
    reader_seconds: int = Field(default=30, ge=1)  # at most, of one query
    reader_memory_mb: int = Field(default=500, ge=50)  # at most, of one query
    reader_rows: int = Field(default=1_000_000, ge=1)  # at most, of one answer
    reader_answer_mb: int = Field(default=100, ge=1)  # at most, of one answer
    secure: bool = False
    memory_mb: Positive = 1500
    archive_days: int = Field(default=30, ge=1)
    aggregates_days: int = Field(default=90, ge=1)
    points_days: int = Field(default=30, ge=1)  # each point as it came
    fine_bins_days: int = Field(default=7, ge=1)  # bins of seconds
    bins_days: int = Field(default=90, ge=1)  # of a minute
    hour_rollups_days: int = Field(default=400, ge=1)  # and sketches of hours
    day_rollups_days: int = Field(default=1500, ge=1)
    week_rollups_days: int = Field(default=4000, ge=1)
    month_rollups_days: int = Field(default=4000, ge=1)


class Flink(Section):
    """The session cluster. `parallelism` at most the slots of all TaskManagers."""

    host: str = ""
    port: Port = 8081
    jobmanager_port: Port = 6123
    jobmanager_metrics_port: Port = 9249
    taskmanager_metrics_port: Port = 9250
    parallelism: int = Field(default=2, ge=1)
    max_parallelism: int = Field(default=128, ge=1, le=32768)  # fixed for the life of the state
    slots: int = Field(default=4, ge=1)
    jobs: list[Job] = [
        "data",
        "detection",
    ]  # that the supervisor keeps running; `patterns` takes a worker more
    jobmanager_mb: Positive = 1024
    taskmanager_mb: Positive = 2560
    taskmanager_off_heap_mb: Positive = 256
    optimise: bool = False  # the TaskManager's code, by the JVM's second compiler: for many events a second
    checkpoint_seconds: float = Field(default=10, gt=0)
    checkpoint_dir: str = ""  # empty: below state_dir
    savepoint_dir: str = ""
    state_backend: Literal["hashmap", "rocksdb"] = "hashmap"
    python: str = ""  # empty: the interpreter that submits
    bundle_size: Positive = 1000
    bundle_milliseconds: Positive = 100
    restore_hours: float = Field(default=24, gt=0)  # what former submissions left holds a log that is too large so long
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

    port: Port = 8080
    workers: int = Field(default=1, ge=1)
    threads: int = Field(default=8, ge=1)  # of the Flask app
    queue: int = Field(default=64, ge=1)  # calls of the Flask app that may wait for a thread
    tokens: list[SecretStr] = []
    linger_milliseconds: float = Field(default=20, ge=0)  # longer: fewer records, and later answers
    batch_lines: int = Field(default=500, ge=1)
    bulk_rows: int = Field(default=5000, ge=1)
    max_body_bytes: Positive = 16_777_216  # after decompression
    buffer_bytes: Positive = 67_108_864  # of what waits for the broker
    pending_tags: int = Field(default=128, ge=1)  # single calls that wait before an overloaded process refuses
    breaker_seconds: float = Field(default=1.5, gt=0)
    disk_budget_bytes: int = Field(default=0, ge=0)  # of the state folder; 0: all that its file system has left for it
    shed_at: float = Field(default=0.8, gt=0, le=1)  # share of that budget from which events are refused
    resume_at: float = Field(default=0.75, gt=0, le=1)  # and below which they are taken again
    delivery_timeout_seconds: float = Field(default=10, gt=0)
    series_a_metric: int = Field(default=20_000, ge=1)  # distinct ones that a worker takes in a day
    statsd_port: int = Field(default=8125, ge=0)  # UDP and TCP, on loopback only, as StatsD knows no tokens; 0: none
    max_range_minutes: int = Field(default=1440, ge=10)
    query_seconds: float = Field(default=30, gt=0)  # for an answer of ClickHouse

    @model_validator(mode="after")
    def _resumes_below_where_it_sheds(self) -> "Api":
        if self.resume_at > self.shed_at:
            raise ValueError(f"resume_at ({self.resume_at}) must not be above shed_at ({self.shed_at})")
        return self

    @property
    def token(self) -> str:
        """What our own programs send: the first of `tokens`, empty when none is asked for."""
        return self.tokens[0].get_secret_value() if self.tokens else ""


class Jobs(Section):
    """Clocks and bounds of the Flink jobs' operators, in seconds and bytes."""

    archive_seconds: float = Field(default=1, gt=0)
    aggregates_seconds: float = Field(default=4, gt=0)
    profiles_seconds: float = Field(default=0.5, gt=0)
    buffer_bytes: Positive = 33_554_432  # a partition's backlog in state before its operator pushes back
    flush_bytes: Positive = 4_194_304  # flushed or folded at once when a partition's buffer holds this much
    unwritten_bytes: Positive = 33_554_432  # of a partition's counts that wait for the clock before they are written
    series_shards: int = Field(default=2, ge=1, le=128)
    watermark_delay_seconds: int = 5
    idle_seconds: int = 2
    series_lateness_minutes: int = 60
    patterns_parallelism: int = Field(default=1, ge=1)
    points_lateness_minutes: int = Field(default=10, ge=0)
    second_metrics: list[str] = ["errors"]  # these also have bins of a second,
    ten_second_metrics: list[str] = ["errors"]  # and these of ten, published too, whether or not a rule asks for them


class Alerts(Section):
    """The alert service. `store_url` is SQLAlchemy's, empty for SQLite below state_dir; `heartbeat_url` empty: none."""

    port: Port = 8085
    store_url: SecretStr = SecretStr("")
    routes: str = "alerts/routes.yml"  # relative to home
    lease_seconds: float = Field(default=5, ge=1)  # an instance that says nothing for so long has lost its place
    senders: int = Field(default=8, ge=1)  # receivers that are told at the same time
    send_seconds: float = Field(default=10, gt=0)  # at most, of one attempt
    give_up_hours: float = Field(default=24, gt=0)  # after so long of failed attempts
    keep_days: int = Field(default=90, ge=1)  # incidents that are over
    canary_seconds: float = Field(default=60, ge=0)  # between canaries, from CANARY_SECONDS on; 0: none
    canary_late_seconds: float = Field(default=120, gt=0)
    heartbeat_url: SecretStr = SecretStr("")
    heartbeat_seconds: float = Field(default=60, ge=1)

    @field_validator("canary_seconds")
    @classmethod
    def _canaries_do_not_run_together(cls, value: float) -> float:
        if 0 < value < CANARY_SECONDS:
            raise ValueError(f"must be 0, for none, or at least {CANARY_SECONDS}")
        return value


class Detection(Section):
    """The job that watches every series. `sets_dir`: labelled series that the benchmark of detectors measures with."""

    parallelism: int = Field(default=1, ge=1)  # a core scores half a million bins a second
    checkpoint_seconds: float = Field(default=1.5, gt=0)
    rocksdb_mb: Positive = 48  # a slot, of the state's caches and write buffers
    most_series: Positive = 20_000  # that a partition of the topic series watches; more are counted, not watched
    history_days: int = Field(default=14, ge=3)  # of what ClickHouse holds, to begin a new series with
    unwritten_bytes: Positive = 33_554_432  # of scores that wait for ClickHouse; beyond it the oldest are dropped
    scores_days: int = Field(default=30, ge=1)  # that scores are kept
    sets_dir: Path = Path("var/sets")


class Supervisor(Section):
    """The process that keeps the embedded parts alive; its own health and metrics port."""

    port: Port = 8090
    start_timeout_seconds: float = 180
    stop_timeout_seconds: float = 20
    nice: int = Field(default=10, ge=0, le=19)  # of Flink and ClickHouse while everything runs: answers stay fast


Part = Literal["kafka", "clickhouse", "flink", "api", "alerts"]


class Settings(BaseSettings):
    """All settings; `settings_source.load` reads them, `settings_text.effective` shows them with secrets masked."""

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
    embedded: list[Part] = ["kafka", "clickhouse", "flink", "api", "alerts"]  # parts that `tidewatch up` runs itself
    topics: Topics = Topics()
    kafka: Kafka = Kafka()
    clickhouse: ClickHouse = ClickHouse()
    flink: Flink = Flink()
    profiles: Profiles = Profiles()
    api: Api = Api()
    jobs: Jobs = Jobs()
    alerts: Alerts = Alerts()
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
    def clickhouse_is_near(self) -> bool:
        """Whether it is reached without a network."""
        return _is_loopback(self.clickhouse_host)

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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
