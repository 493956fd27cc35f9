"""`tidewatch load`: a file of error codes, sent as fast as it happened or as is wished."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import click

LINES_A_CALL = 5000
EXAMPLES = """
\b
Examples:
  tidewatch load errors.txt --format errors               at the speed of its times
  tidewatch load errors.txt --format errors --speed 60    an hour a minute
  tidewatch load errors.txt --format errors --speed 0     as fast as it goes
"""


class Part(NamedTuple):
    """Lines that are sent together, `due` seconds after the first ones."""

    due: float
    lines: list[bytes]


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.File("rb"))
@click.option("--format", "kind", type=click.Choice(["errors"]), required=True, help="What its lines are.")
@click.option(
    "--speed", type=click.FloatRange(0), default=1, show_default=True, help="Times real speed; 0: no waiting."
)
@click.option("--url", help="Of the API.  [default: the settings host and api.port]")
def command(file: Iterable[bytes], kind: str, speed: float, url: str | None) -> None:
    """Send a file's lines `Timestamp Build_Version Error_Code`, with the times they have.

    Lines that cannot be read are sent with those before them; the API says what is wrong with each. Exit status 1 when
    any was refused.
    """
    from contracts.settings_source import load

    settings = load()
    token = settings.api.tokens[0].get_secret_value() if settings.api.tokens else ""
    address = (url or f"http://{settings.host}:{settings.api.port}").rstrip("/") + "/v1/errors"
    accepted = rejected = 0
    started = time.monotonic()
    for part in parts(file, time.time_ns() // 1_000_000, speed):
        time.sleep(max(0.0, started + part.due - time.monotonic()))
        answer = _send(address, token, part.lines)
        accepted, rejected = accepted + answer["accepted"], rejected + answer["rejected"]
        for error in answer["errors"]:
            click.echo(
                f"refused: {part.lines[error['line'] - 1].decode(errors='replace')}: {error['reason']}", err=True
            )
    click.echo(f"{accepted} accepted, {rejected} refused")
    raise SystemExit(1 if rejected else 0)


def parts(lines: Iterable[bytes], now: int, speed: float) -> Iterator[Part]:
    """Lines of the same second together, as many as a call takes; without waiting when `speed` is 0."""
    from api.collect.point_parse import Numbered, read_errors

    held: list[bytes] = []
    first: int | None = None
    due = second = 0.0
    for line in map(bytes.strip, lines):
        found = next(iter(read_errors(line, now)), None)
        if isinstance(found, Numbered):
            first = found.point.time if first is None else first
            second = max(0.0, (found.point.time - first) / 1000 / speed) if speed else 0.0
        if held and (int(second) != int(due) or len(held) >= LINES_A_CALL):
            yield Part(due, held)
            held = []
        if not held:
            due = second
        held.append(line)
    if any(held):
        yield Part(due, held)


def _send(address: str, token: str, lines: list[bytes]) -> dict[str, Any]:
    """What the API counted, and what was wrong with which line, from 1."""
    import json
    import urllib.error
    import urllib.request

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(address, b"\n".join(lines), headers)  # noqa: S310  # the user named it
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310  # as above
            document: dict[str, Any] = json.loads(response.read())
            return document
    except urllib.error.HTTPError as error:
        with error:
            problem = json.loads(error.read())
        if error.code == 400:
            return {"accepted": 0, "rejected": len(lines), "errors": [{"line": 1, "reason": problem["detail"]}]}
        raise click.ClickException(f"{address}: {problem['detail']}") from None
    except urllib.error.URLError as error:
        raise click.ClickException(f"{address}: {error.reason}; is the platform up? (tidewatch status)") from None
