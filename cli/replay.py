"""`tidewatch replay`: the dead letters: look at them, mend them, send them again."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from contracts.dead_letters import DeadLetter
    from contracts.settings import Settings

EXAMPLES = """
\b
Examples:
  tidewatch replay                          list what was not yet sent again, with reason and place
  tidewatch replay --save letters.ndjson    write their bytes to a file, a line each, to mend by hand
  tidewatch replay --load letters.ndjson    send the lines of a file
  tidewatch replay --send                   send the bytes as they are (after the reason is gone)
  tidewatch replay --send --reason origin   only those whose field or reason has the word

Lines go through the API, which checks them again and says what is still wrong.
"""
GROUP = "tidewatch-replay"
IDLE_SECONDS = 3.0


@click.command(epilog=EXAMPLES)
@click.option("--reason", default="", help="Only letters with this text in their field or reason.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the bytes to this file.")
@click.option("--load", "source", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Send this file.")
@click.option("--send", is_flag=True, help="Send the letters; they are not offered again.")
@click.option("--all", "everything", is_flag=True, help="Also those that were sent again before.")
def command(reason: str, save: Path | None, source: Path | None, send: bool, everything: bool) -> None:
    """List, save or send again what could not be read: the dead letters."""
    from contracts.settings import load as load_settings

    settings = load_settings()
    if source:
        _send(settings, source.read_bytes().splitlines())
        return
    consumer = _consumer(settings, everything)
    letters = [letter for letter in _letters(consumer) if reason in f"{letter.field} {letter.reason}"]
    if save:
        save.write_bytes(b"".join(letter.original() + b"\n" for letter in letters))
        click.echo(f"{len(letters)} lines in {save}: mend them and send them by --load {save}")
    elif send:
        _send(settings, [letter.original() for letter in letters])
        consumer.commit(asynchronous=False)
    else:
        for letter in letters:
            click.echo(f"{letter.id} {letter.field or '-'}: {letter.reason}: {letter.original()[:80]!r}")
        click.echo(f"{len(letters)} dead letters")
    consumer.close()


def _consumer(settings: "Settings", everything: bool) -> "Consumer":
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    options = {"group.id": GROUP, "isolation.level": "read_committed", "enable.auto.commit": False}
    consumer = Consumer({**settings.kafka_client, **options, "auto.offset.reset": "earliest"})
    topic = settings.topics.dead_letters
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    if not everything:
        partitions = consumer.committed(partitions, timeout=10)
    for partition in partitions:
        partition.offset = partition.offset if partition.offset >= 0 else OFFSET_BEGINNING
    consumer.assign(partitions)
    return consumer


def _letters(consumer: "Consumer") -> Iterator["DeadLetter"]:
    """Up to what is the end now: until nothing comes for a few seconds."""
    from confluent_kafka import KafkaException

    from contracts.dead_letters import decode

    while (message := consumer.poll(IDLE_SECONDS)) is not None:
        if message.error():
            raise KafkaException(message.error())
        yield decode(message.value() or b"")


def _send(settings: "Settings", lines: list[bytes]) -> None:
    import json
    import urllib.error
    import urllib.request

    if not lines:
        click.echo("nothing to send")
        return
    request = urllib.request.Request(  # noqa: S310  # our own API, by the settings
        f"http://{settings.host}:{settings.api.port}/v1/user-tags", b"\n".join(lines) + b"\n"
    )
    for token in settings.api.tokens[:1]:
        request.add_header("Authorization", f"Bearer {token.get_secret_value()}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
            result = json.load(answer)
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"the API refused: {error.code} {error.read().decode(errors='replace')}") from None
    except OSError as error:
        raise click.ClickException(f"no API at {request.full_url}: {error}; see `tidewatch status`") from None
    click.echo(f"{result['accepted']} accepted, {result['rejected']} still wrong")
    for problem in result["errors"]:
        click.echo(f"  line {problem['line']}: {problem['field'] or '-'}: {problem['reason']}")
