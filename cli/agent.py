"""`tidewatch agent`: this host's CPU, memory, disk and network, sent as metrics."""

from __future__ import annotations

from typing import NamedTuple

import click

EXAMPLES = """
\b
Examples:
  tidewatch agent                              every 10 s, to the API of the settings
  tidewatch agent --every 1 --url http://10.0.0.5:8080
  tidewatch agent --once                       one look, then the end
"""


class Reading(NamedTuple):
    """A number of this host; `kind` as of a point."""

    kind: str
    name: str
    value: float
    labels: dict[str, str]


@click.command(epilog=EXAMPLES)
@click.option("--url", help="Of the API.  [default: the settings host and api.port]")
@click.option("--every", type=click.FloatRange(0.1), default=10, show_default=True, help="Seconds between looks.")
@click.option("--host", "name", help="The label `host`.  [default: this machine's name]")
@click.option("--spill", type=click.Path(file_okay=False), help="Folder for what cannot be sent meanwhile.")
@click.option("--once", is_flag=True, help="Look once.")
def command(url: str | None, every: float, name: str | None, spill: str | None, once: bool) -> None:
    """Send this host's CPU, memory, disk and network as metrics, until Ctrl-C.

    Gauges in percent: host_cpu_percent, host_memory_percent, host_disk_percent (by `mount`). Counters of bytes:
    host_network_sent_bytes and host_network_received_bytes, host_disk_read_bytes and host_disk_written_bytes.
    """
    import socket
    import time
    from contextlib import suppress

    from client import Client
    from contracts.settings_source import load

    settings = load()
    token = settings.api.tokens[0].get_secret_value() if settings.api.tokens else ""
    labels = {"host": name or socket.gethostname()}
    client = Client(url or f"http://{settings.host}:{settings.api.port}", labels=labels, token=token, spill=spill)
    totals = read_totals()
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(min(every, 1.0) if once else every)  # what the counters and the CPU's share are measured over
            before, totals = totals, read_totals()
            for reading in [*gauges(), *growth(before, totals)]:
                (client.counter if reading.kind == "counter" else client.gauge)(
                    reading.name, reading.value, **reading.labels
                )
            if once:
                break
    client.close()
    sent, refused, dropped = client.counts
    click.echo(f"{sent} points sent, {refused} refused, {dropped} dropped")
    raise SystemExit(0 if sent and not refused and not dropped else 1)


def gauges() -> list[Reading]:
    """What is read off now; the CPU's share is that since the call before."""
    import psutil

    found = [
        Reading("gauge", "host_cpu_percent", psutil.cpu_percent(), {}),
        Reading("gauge", "host_memory_percent", psutil.virtual_memory().percent, {}),
    ]
    for mount in sorted({part.mountpoint for part in psutil.disk_partitions()} | {"/"}):
        found.append(Reading("gauge", "host_disk_percent", psutil.disk_usage(mount).percent, {"mount": mount}))
    return found


def read_totals() -> dict[str, int]:
    """Bytes since the machine started, by the name of the counter that they become."""
    import psutil

    network, disk = psutil.net_io_counters(), psutil.disk_io_counters()
    totals: dict[str, int] = {}
    if network is not None:
        totals |= {"host_network_sent_bytes": network.bytes_sent, "host_network_received_bytes": network.bytes_recv}
    if disk is not None:  # machines without a disk of their own have none
        totals |= {"host_disk_read_bytes": disk.read_bytes, "host_disk_written_bytes": disk.write_bytes}
    return totals


def growth(before: dict[str, int], now: dict[str, int]) -> list[Reading]:
    """By how much each counter grew; one that fell has started anew and grew by what it is."""
    grown = {
        name: total - before.get(name, 0) if total >= before.get(name, 0) else total for name, total in now.items()
    }
    return [Reading("counter", name, float(bytes_), {}) for name, bytes_ in grown.items()]
