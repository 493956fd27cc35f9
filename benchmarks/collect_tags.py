"""`POST /user_tags` in closed loop: tags a second that the broker has acknowledged, beside the same route in Flask.

Every acknowledged tag is counted in the topic in the end. SECONDS sets the length of a run.
"""

import os
from typing import Final

import click

from benchmarks.failed import at_least
from benchmarks.results import Result
from benchmarks.rig.collecting import Collector, Load, Measured, middle, site
from benchmarks.rig.rivals.asgi_floor import Floor
from benchmarks.rig.rivals.flask_collect import FlaskCollector
from contracts.tags import encode_tag
from testbed.generator import Traffic
from testbed.wire import Requests

RUNS: Final = 3  # of each, in turn
SECONDS: Final = 10.0
CONNECTIONS: Final = 512  # a tag waits some 30 ms for its record to fill and be acknowledged
TAGS: Final = 20_000  # different ones, sent over and over
TIMES_THE_RIVAL: Final = 1.5  # at least


def run() -> list[Result]:
    """BenchmarkFailed when an acknowledged tag is missing, or when we are not faster than the rival by so much."""
    load = Load(tag_requests(), 204, CONNECTIONS, seconds=float(os.environ.get("SECONDS") or SECONDS))
    ours, rivals = [], []
    click.echo(Measured.heading())
    with site("collect_tags") as place:
        for _ in range(RUNS):
            ours.append(place.measure(Collector, load))
            click.echo(ours[-1].row("tidewatch"))
            rivals.append(place.measure(FlaskCollector, load))
            click.echo(rivals[-1].row("flask on granian"))
        floor = place.measure(Floor, load, keeps=False)
        click.echo(floor.row("HTTP alone: ASGI, 204"))
    best, rival = middle(ours), middle(rivals)
    result = Result("collect_tags", best.rate, "tags/s", "Flask on granian", rival.rate, best.server_us)
    return [
        at_least(result, TIMES_THE_RIVAL),
        Result("collect_tags.floor", floor.rate, "calls/s", cpu_us=floor.server_us),
    ]


def tag_requests() -> list[bytes]:
    """Whole requests of seeded tags."""
    traffic = Traffic(seed=1)
    requests = Requests("localhost", 80)
    return [requests.post("/user_tags", encode_tag(traffic.tag(number))) for number in range(TAGS)]
