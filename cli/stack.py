"""The whole stack as the supervisor runs it: which parts, which steps, in which order."""

from collections.abc import Callable
from typing import Final

from cli import rule_topic
from cli.keep_jobs import KeepJobs
from cli.keep_log import KeepLog
from contracts.settings import Settings
from infra import topics
from infra.embedded.alerts import Alerts
from infra.embedded.api import Api
from infra.embedded.clickhouse import ClickHouse
from infra.embedded.flink import JobManager, TaskManager, clear_temporary
from infra.embedded.kafka import Kafka
from infra.embedded.own_health import OwnHealth
from infra.embedded.part import Part
from infra.embedded.steps import Step
from infra.embedded.supervisor import Supervisor
from infra.embedded.watched import Watched
from stores import migrations, rollups
from stores.profiles import open_store

TOPICS_SECONDS: Final = 10.0
TOPICS_EVERY: Final = 30.0  # creates them anew when somebody deleted them
LOG_EVERY: Final = 10.0
ROLLUPS_EVERY: Final = 300.0
HEALTH_EVERY: Final = 10.0
JOBS_EVERY: Final = 3.0  # how soon a lost JobManager's jobs are missed
STOP_ORDER: Final = (
    (Api.name, Alerts.name),  # nothing new comes in, and what stops now is no reason to call anybody
    (JobManager.name, TaskManager.name),
    (ClickHouse.name, Kafka.name),
)


def parts(settings: Settings) -> list[Part]:
    """Those that the settings say are embedded, in the order of their start."""
    by_name: dict[str, list[type[Part]]] = {
        "kafka": [Kafka],
        "clickhouse": [ClickHouse],
        "flink": [JobManager, TaskManager],
        "api": [Api],
        "alerts": [Alerts],
    }
    return [part(settings) for name, kinds in by_name.items() if name in settings.embedded for part in kinds]


def compose(settings: Settings) -> Supervisor:
    """The supervisor of this stack, not running yet."""
    steps = _steps(settings)
    clear_temporary(settings)
    return Supervisor(settings, _watched(settings), steps, STOP_ORDER)


def _watched(settings: Settings) -> list[Watched]:
    """What is not embedded is watched all the same: its health decides about readiness and about the steps. But for
    the API and the alert service, which no step needs, and TaskManagers, whom only the JobManager knows."""
    needs = {Api.name: ("topics", "profiles"), Alerts.name: ("topics",)}
    owned = [Watched(part, needs.get(part.name, ())) for part in parts(settings)]
    outside: list[Part] = [kind(settings) for kind in (Kafka, ClickHouse, JobManager)]
    known = {watched.name for watched in owned}
    return [*owned, *(Watched(part, owned=False) for part in outside if part.name not in known)]


def _steps(settings: Settings) -> list[Step]:
    jobs = KeepJobs(settings, submits="flink" in settings.embedded)
    return [
        Step("topics", lambda: topics.ensure(settings, TOPICS_SECONDS), (Kafka.name,), TOPICS_EVERY),
        Step("rules", lambda: rule_topic.ship(settings), ("topics",)),
        Step("migrations", lambda: migrations.apply(settings), (ClickHouse.name,)),
        Step("rollups", lambda: rollups.roll_up(settings), (ClickHouse.name, "migrations"), ROLLUPS_EVERY),
        Step("profiles", _profiles(settings)),
        Step("health", OwnHealth(settings), every=HEALTH_EVERY),
        Step("log", KeepLog(settings), (JobManager.name, "topics", "migrations"), LOG_EVERY),
        Step("jobs", jobs, (JobManager.name, "topics", "migrations", "profiles"), JOBS_EVERY),
    ]


def _profiles(settings: Settings) -> Callable[[], object]:
    """Makes the store, so that an unknown cookie is known to be unknown before the first tag was written."""
    return lambda: open_store(settings, writable=True).close()
