"""`tidewatch drive`: seeded traffic against a running API, every answer checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # imports that --help shall not wait for
    from testbed.driver import Load
    from testbed.generator import Traffic

EXAMPLES = """
\b
Examples:
  tidewatch drive                                    a minute of the course's mix
  tidewatch drive --seconds 600 --json               ten minutes, the report as JSON
  tidewatch drive --rate 3000 --profiles-per-second 300
  tidewatch drive --host 10.0.0.5 --port 80 --start 2022-04-01T00:00:50Z
"""


@click.command(epilog=EXAMPLES)
@click.option("--host", help="Of the API.  [default: the setting host]")
@click.option("--port", type=int, help="Of the API.  [default: the setting api.port]")
@click.option("--rate", type=click.FloatRange(0.1, 100_000), default=1000, show_default=True, help="Tags a second.")
@click.option("--seconds", type=click.FloatRange(0), default=60, show_default=True, help="Of traffic.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of traffic and questions.")
@click.option("--start", help="RFC 3339 time of the first tag.  [default: hh:mm:50 of the first unused day of 2022]")
@click.option("--profiles-per-second", type=click.FloatRange(0), default=100, show_default=True)
@click.option("--aggregates-per-second", type=click.FloatRange(0), default=1, show_default=True)
@click.option("--connections", type=click.IntRange(1, 10_000), default=256, show_default=True, help="At most.")
@click.option("--cookies", type=click.IntRange(1), default=1_000_000, show_default=True, help="How many there are.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def command(
    host: str | None,
    port: int | None,
    rate: float,
    seconds: float,
    seed: int,
    start: str | None,
    profiles_per_second: float,
    aggregates_per_second: float,
    connections: int,
    cookies: int,
    as_json: bool,
) -> None:
    """Send seeded tags at a fixed rate, ask for profiles and aggregates, and check every answer in full.

    Each tag steps one millisecond of event time. Calls are due by the clock whatever became of those before (open
    loop), and latency counts from then. A tag must be seen ten seconds after its acknowledgement. Answers over 200 ms
    (aggregates: 60 s) are late, and score nothing. Exit status 0 when every answer was right, 1 when not.
    """
    import json
    import sys

    from rich.console import Console

    from cli.driving import drive, run
    from contracts.settings_source import load
    from testbed.driver import Load
    from testbed.report import Report

    settings = load()
    address = (host or settings.host, port or settings.api.port)
    mix = Load(*address, rate, profiles_per_second, aggregates_per_second, connections, settings.api.token)
    console = Console(file=sys.stderr)

    async def whole() -> Report:
        return await drive(mix, await _traffic(mix, seed, cookies, seconds, start), seconds, console)

    report = run(whole())
    click.echo(json.dumps(report.as_dict()) if as_json else report.as_text())
    raise SystemExit(0 if report.passed else 1)


async def _traffic(load: Load, seed: int, cookies: int, seconds: float, start: str | None) -> Traffic:
    """The traffic from a start where the platform holds nothing; BeginError when it does."""
    import asyncio

    from contracts.times import parse_instant
    from testbed.begin import BeginError, check_unused, find_unused, wait_answering
    from testbed.generator import Traffic
    from testbed.wire import Pool, Requests

    length_ms = int(seconds * load.rate)
    pool = Pool(load.host, load.port, 2, asyncio.get_running_loop())
    requests = Requests(load.host, load.port, load.token)
    try:
        await wait_answering(pool, requests, 5)
        if start is None:
            return Traffic(seed, await find_unused(pool, requests, length_ms), cookies)
        try:
            start_ms = parse_instant(start)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--start") from None
        if not await check_unused(pool, requests, start_ms, length_ms):
            raise BeginError(f"the platform already holds tags around {start}: choose another --start")
        return Traffic(seed, start_ms, cookies)
    finally:
        pool.close()
