"""The alert service, as a process beside the engines."""

import os
import sys

from contracts import VERSION
from contracts.settings import CONFIG_VARIABLE, PREFIX
from infra.embedded.instance import settings_file, write_settings
from infra.embedded.part import Part, http_reason


class Alerts(Part):
    """`python -m alerts`, with the supervisor's settings and environment, where the receivers' secrets are."""

    name = "alerts"

    def prepare(self) -> None:
        write_settings(self.settings)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "alerts"]

    def environment(self) -> dict[str, str]:
        own = {name: "" for name in os.environ if name.startswith(PREFIX)}
        home = str(self.settings.home.absolute())
        return {**own, "PYTHONPATH": home, CONFIG_VARIABLE: str(settings_file(self.settings))}

    def ready(self) -> str | None:
        return http_reason(f"http://{self.settings.host}:{self.settings.alerts.port}/readyz")

    def ports(self) -> dict[str, int]:
        return {"alerts.port": self.settings.alerts.port}

    def version(self) -> str:
        return VERSION
