"""Metrics through the whole stack: the lines of README and docs/metrics.md as they stand; keys; what is unknown."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from contracts.settings import CONFIG_VARIABLE, Settings, Topic
from infra.embedded import instance
from tests.e2e.world import World, wait_until

CHECKOUT = Path(__file__).parents[2]
PAGES = (CHECKOUT / "README.md", CHECKOUT / "docs" / "metrics.md")
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(curl|cat|printf|\.venv/bin/python|\./tidewatch) ")
SHOWN = ("/collect", "/v1/points", "/v1/errors", "/v1/metrics", "8125", "client", "tidewatch agent", "tidewatch load")
ASKED = ("/median/", "/api/v1/series", "/errors/heatmap", "/api/v1/sql", "/q/", "/api/v1/metrics", "/openapi.json")
START_MS = 1_330_603_200_000  # 2012-03-01T12:00:00Z: of this file's own


def pasted() -> Iterator[tuple[str, str]]:
    """Commands of the pages, each with what stands below it as its output, if anything does. Not those of user tags, at
    whose time other tests count.
    """
    blocks = [block for page in PAGES for block in BLOCK.findall(page.read_text()) if "/user_tags" not in block]
    for block, following in zip(blocks, [*blocks[1:], ""], strict=True):
        if COMMAND.match(block):
            yield block, "" if COMMAND.match(following) or not following.startswith(("{", '"')) else following


def test_the_lines_of_the_pages_do_what_they_say(world: World) -> None:
    """In their order, with the stack's ports."""
    found = list(pasted())
    assert [part for part in (*SHOWN, *ASKED) if not any(part in command for command, _ in found)] == []
    for command, expected in found:
        wait_until(lambda command=command, expected=expected: _wrong(world.settings, command, expected))  # type: ignore[misc]  # default arguments


def _wrong(settings: Settings, command: str, expected: str) -> str | None:
    """What is wrong with the output of a block. What collects answers well at once, so it is sent once."""
    ports = {":8080": f":{settings.api.port}", "/8125": f"/{settings.api.statsd_port}"}
    for written, own in ports.items():
        command = command.replace(written, own)
    done = subprocess.run(  # noqa: S603  # our page
        ["bash", "-ec", command],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env=os.environ | {CONFIG_VARIABLE: str(instance.settings_file(settings))},
    )
    if done.returncode != 0 or "urn:tidewatch:problem" in done.stdout:
        return f"{command}: {done.stdout}{done.stderr}"
    if "curl -i" in command:
        return None if done.stdout.count("HTTP/1.1 204") == command.count("curl -i") else done.stdout
    return None if not expected or done.stdout.strip() == expected.strip() else f"{command}: {done.stdout}"


def test_the_platforms_own_health_arrives_as_points(world: World) -> None:
    parts = {"kafka", "clickhouse", "flink-jobmanager", "flink-taskmanager", "api", "alerts"}

    def missing() -> str | None:
        answer = world.call("GET", "/api/v1/label/part/values?metric=tidewatch_part_up")
        return None if answer.status == 200 and parts <= set(answer.json()["values"]) else str(answer.body)

    wait_until(missing)


def test_a_request_that_is_repeated_counts_once(world: World) -> None:
    """Under one key it does, under two it counts twice; seen once what came after them on the same partition is."""
    topic = world.settings.topics.points
    last = next(key for key in map(str, range(99)) if _partition(key, topic) == _partition("again", topic))
    other = next(key for key in map(str, range(100, 199)) if _partition(key, topic) == _partition("again", topic))
    lines = b"\n".join(b'{"name":"e2e_once","time":%d,"value":1}' % (START_MS + at) for at in range(70))
    for key in ("again", "again", other, "again"):
        answer = world.call("POST", "/v1/points", lines, {"Idempotency-Key": key})
        assert (answer.status, answer.json()["accepted"]) == (202, 70)
    end = b'{"name":"e2e_once_end","time":%d,"value":1}' % START_MS
    assert world.call("POST", "/v1/points", end, {"Idempotency-Key": last}).status == 202
    wait_until(lambda: None if _count(world, "e2e_once_end") == 1 else "the last point is not counted yet")
    assert _count(world, "e2e_once") == 140


def _partition(key: str, topic: Topic) -> int:
    return crc32(key.encode()) % topic.partitions


def _count(world: World, metric: str) -> int:
    answer = world.call("GET", f"/{metric}/count/2012-03-01/12")
    return int(answer.json()["count"]) if answer.status == 200 else 0


def test_an_unknown_metric_stays_unknown(world: World) -> None:
    assert world.call("GET", f"/e2e_nobody_{time.time_ns()}/average/2012-03-01/12").status == 404
