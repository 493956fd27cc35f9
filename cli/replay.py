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
  tidewatch replay --save letters.ndjson    write their lines to a file, to mend by hand; Arrow records beside it
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
    """List, save or send again what could not be read: the dead letters.

    An Arrow record that was refused as a whole is sent as the events that can be read of it now.
    """
    from contracts.settings import load as load_settings

    settings = load_settings()
    if source:
        _send(settings, source.read_bytes().splitlines())
        return
    consumer = _consumer(settings, everything)
    letters = [letter for letter in _letters(consumer) if reason in f"{letter.field} {letter.reason}"]
    if save:
        _save(save, letters)
    elif send:
        _send(settings, [line for letter in letters for line in _lines_of(letter)])
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


def _save(path: Path, letters: "list[DeadLetter]") -> None:
    lines = [letter.original() for letter in letters if not letter.is_record]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    click.echo(f"{len(lines)} lines in {path}: mend them and send them by --load {path}")
    for letter in letters:
        if letter.is_record:
            beside = path.with_name(f"{path.stem}-{letter.partition}-{letter.offset}.arrow")
            beside.write_bytes(letter.original())
            click.echo(f"a record of its own, {letter.reason}: {beside}")


def _lines_of(letter: "DeadLetter") -> list[bytes]:
    """What the API takes of a letter: its line, or, of a whole Arrow record, the events that can be read by now."""
    import time

    from contracts.codec import Record, decode
    from contracts.events import tags_of
    from contracts.tags import encode_tag

    if not letter.is_record:
        return [letter.original()]
    now = int(time.time() * 1000)
    events, rejects = decode([Record(letter.offset, now, now, letter.original())])
    for reject in rejects:
        click.echo(f"  {letter.id}, an Arrow record: {reject.reason}")
    return [encode_tag(tag) for tag in tags_of(events)]


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
    if settings.api.token:
        request.add_header("Authorization", f"Bearer {settings.api.token}")
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
