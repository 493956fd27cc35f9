"""`tidewatch replay`: the dead letters: look at them, mend them, send them again."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from contracts.dead_letters import DeadLetter
    from contracts.settings import Settings

EXAMPLES = """
\b
Examples:
  tidewatch replay                          list what was not yet sent again, with reason and place
  tidewatch replay --save letters.ndjson    write their lines to a file, to mend by hand; Arrow records beside it
  tidewatch replay --load letters.ndjson    send the lines of a file
  tidewatch replay --send                   send the bytes as they are (after the reason is gone)
  tidewatch replay --send --reason origin   only those whose field or reason has the word
  tidewatch replay --points --save file     of metrics' points in place of user tags; --load and --send likewise

Lines go through the API, which checks them again and says what is still wrong. A letter that was taken is not offered
again; one that is still wrong is.
"""
LINES_A_CALL = 100  # the API lists so many of the lines that are wrong
CALL_SECONDS = 60.0
NONE_GOOD = 400


@click.command(epilog=EXAMPLES)
@click.option("--reason", default="", help="Only letters with this text in their field or reason.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the bytes to this file.")
@click.option("--load", "source", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Send this file.")
@click.option("--send", is_flag=True, help="Send the letters; those that are taken are not offered again.")
@click.option("--points", is_flag=True, help="Letters of points, not of user tags.")
@click.option("--all", "everything", is_flag=True, help="Also those that were sent again before.")
def command(reason: str, save: Path | None, source: Path | None, send: bool, points: bool, everything: bool) -> None:
    """List, save or send again what could not be read: the dead letters.

    An Arrow record that was refused as a whole is sent as the events that can be read of it now.
    """
    from cli import letters as dead
    from contracts.settings_source import load as load_settings

    settings = load_settings()
    route = dead.POINTS if points else dead.TAGS
    if source:
        lines = source.read_bytes().splitlines()
        for start in range(0, len(lines), LINES_A_CALL):
            _post(settings, route, lines[start : start + LINES_A_CALL], start)
        return
    gone = set() if everything else _replayed(settings)
    found = [
        letter
        for letter in dead.read(settings)
        if letter.id not in gone and reason in f"{letter.field} {letter.reason}"
    ]
    letters = [letter for letter in found if dead.route(settings, letter) == route]
    if save:
        dead.save(save, letters)
    elif send:
        _send(settings, route, letters)
    else:
        for letter in letters:
            click.echo(f"{letter.id} {letter.field or '-'}: {letter.reason}: {letter.original()[:80]!r}")
        click.echo(f"{len(letters)} dead letters")
        if others := Counter(letter.topic for letter in found if letter not in letters):
            told = ", ".join(f"{count} of topic {topic}" for topic, count in sorted(others.items()))
            click.echo(f"and {told}: see --points")


def _replayed(settings: "Settings") -> set[str]:
    """The ids of the letters that were sent again and taken."""
    import sql
    from stores import clickhouse

    with clickhouse.connect(settings) as client:
        return {row[0] for row in client.query(sql.read("queries/replayed_letters")).result_rows}


def _note(settings: "Settings", ids: list[str]) -> None:
    from contracts.names import REPLAYED_LETTERS_TABLE
    from stores import clickhouse

    with clickhouse.connect(settings) as client:
        client.insert(REPLAYED_LETTERS_TABLE, [[one] for one in ids], column_names=["id"])


def _send(settings: "Settings", route: str, letters: "list[DeadLetter]") -> None:
    """Call by call, each noted when the API has taken it: cut off, only the last of them would be sent twice."""
    from cli.letters import lines_of

    pairs = [(letter.id, line) for letter in letters for line in lines_of(letter, route)]
    if not pairs:
        click.echo("nothing to send")
    for start in range(0, len(pairs), LINES_A_CALL):
        some = pairs[start : start + LINES_A_CALL]
        wrong = _post(settings, route, [line for _, line in some], start)
        taken = list(dict.fromkeys(one for number, (one, _) in enumerate(some) if number not in wrong))
        if taken:
            _note(settings, taken)


def _post(settings: "Settings", route: str, lines: list[bytes], before: int) -> set[int]:
    """Sends the lines, of which there were `before` in earlier calls; which of them are still wrong, from 0."""
    import json
    from urllib.error import HTTPError

    from infra import own_api

    try:
        result: dict[str, Any] = json.loads(own_api.post(settings, route, b"\n".join(lines) + b"\n", CALL_SECONDS))
    except HTTPError as error:
        body = error.read()
        if error.code != NONE_GOOD:
            raise click.ClickException(f"the API refused: {error.code} {body.decode(errors='replace')}") from None
        result = {"accepted": 0, "rejected": len(lines), "errors": json.loads(body).get("errors", [])}
        _tell(result, before)
        return set(range(len(lines)))
    except OSError as error:
        where = own_api.address(settings, route)
        raise click.ClickException(f"no API at {where}: {error}; see `tidewatch status`") from None
    _tell(result, before)
    return {problem["line"] - 1 for problem in result["errors"]}


def _tell(result: dict[str, Any], before: int) -> None:
    click.echo(f"{result['accepted']} accepted, {result['rejected']} still wrong")
    for problem in result["errors"]:
        click.echo(f"  line {before + problem['line']}: {problem['field'] or '-'}: {problem['reason']}")
