"""Judges what the platform holds after a campaign: every tag by its fate, and archive, aggregates, profiles and dead
letters by each other."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from contracts.events import tags_of
from contracts.settings import Settings
from contracts.tags import encode_tag
from stores import archive, clickhouse
from testbed.judge import Minutes, judge_aggregates
from testbed.malformed import MixedRecord
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery
from tests.chaos import evidence
from tests.chaos.campaign import Campaign
from tests.chaos.evidence import Groups
from tests.chaos.http import Http
from tests.chaos.streams import ACKNOWLEDGED, NOT_SENT, UNKNOWN, Stream

SHOWN: Final = 200  # of each list in a profile
AT_ONCE: Final = 8
MINUTES: Final = 600  # of an aggregate query
PATIENCE: Final = 30.0  # seconds for the flushes that follow the last checkpoint
AGAIN: Final = 2.0


class Verdict(msgspec.Struct):
    """`problems` is empty when every promise was kept; the counts say of how much that is true."""

    problems: list[str] = []
    acknowledged: int = 0
    unknown: int = 0  # sent and not acknowledged
    unknown_kept: int = 0  # of these, there all the same
    letters: int = 0
    profiles: int = 0


async def judge(settings: Settings, campaign: Campaign) -> Verdict:
    """The verdict that stays: one that finds something missing is reached again until the last writes have ended."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        verdict = await _judge(settings, campaign)
        if not verdict.problems or asyncio.get_running_loop().time() > deadline:
            return verdict
        await asyncio.sleep(AGAIN)


async def _judge(settings: Settings, campaign: Campaign) -> Verdict:
    verdict, http = Verdict(), Http(settings, AT_ONCE)
    kept: set[int] = set()  # times of the mixed stream's tags that are there
    for stream in campaign.streams:
        events = await asyncio.to_thread(evidence.archived, settings, stream.begin, stream.end)
        times = _judge_archive(stream, events, verdict)
        if stream is campaign.mixed:
            kept = times
        groups = await asyncio.to_thread(evidence.counted, settings, stream.begin, stream.end)
        verdict.problems += _first(f"aggregate {one}" for one in _unequal(_groups(events), groups))
        verdict.problems += _first(await _wrong_profiles(http, stream, events, verdict))
        verdict.problems += _first(await _wrong_minutes(http, stream, groups))
    http.close()
    verdict.problems += _first(_wrong_letters(campaign, kept, evidence.letters(settings), verdict))
    with clickhouse.connect(settings) as client:
        differences = archive.differences(client, settings.clickhouse.archive_days)
    verdict.problems += _first(f"audit: {difference}" for difference in differences)
    verdict.problems += _wrong_answers(campaign)
    return verdict


def _judge_archive(stream: Stream, events: pa.RecordBatch, verdict: Verdict) -> set[int]:
    """Adds to the verdict; returns the times of the tags that are archived."""
    fates = np.frombuffer(bytes(stream.fates), np.uint8)
    times = events.column("time").to_numpy()
    offsets = times - stream.begin
    indices = offsets // stream.traffic.step_ms
    counts = np.bincount(indices, minlength=len(fates))
    verdict.acknowledged += int(np.count_nonzero(fates == ACKNOWLEDGED))
    verdict.unknown += int(np.count_nonzero(fates == UNKNOWN))
    verdict.unknown_kept += int(np.count_nonzero((fates == UNKNOWN) & (counts == 1)))
    wrong = np.flatnonzero(
        ((fates == ACKNOWLEDGED) & (counts != 1)) | (counts > 1) | ((fates == NOT_SENT) & (counts > 0))
    )
    names = {NOT_SENT: "never sent", UNKNOWN: "not acknowledged", ACKNOWLEDGED: "acknowledged"}
    verdict.problems += _first(
        f"tag {index} of {stream.begin}: {names[int(fates[index])]}, {counts[index]} times in the archive"
        for index in wrong.tolist()
    )
    lines = zip(indices.tolist(), map(encode_tag, tags_of(events)), strict=True)
    verdict.problems += _first(
        f"archived as {line!r}, sent as {sent!r}"
        for index, line in lines
        if line != (sent := encode_tag(stream.traffic.tag(index)))
    )
    return set(times.tolist())


def _groups(events: pa.RecordBatch) -> Groups:
    groups: defaultdict[tuple[int, str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    names = ("action", "origin", "brand_id", "category_id", "price")
    columns = [events.column(name).to_pylist() for name in ("time", *names)]
    for time, action, origin, brand, category, price in zip(*columns, strict=True):
        group = groups[time // MINUTE_MS * 60, action, origin, brand, category]
        group[0] += 1
        group[1] += price
    return {key: (count, total) for key, (count, total) in groups.items()}


def _unequal(expected: Groups, found: Groups) -> Iterator[str]:
    for key in expected.keys() | found.keys():
        if expected.get(key) != found.get(key):
            yield f"{key}: {expected.get(key)} in the archive, counted {found.get(key)}"


async def _wrong_profiles(http: Http, stream: Stream, events: pa.RecordBatch, verdict: Verdict) -> list[str]:
    """Of every cookie that has an archived tag."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def wrong(cookie: str, expected: bytes) -> str | None:
        async with turns:
            response = await http.post(ProfileQuery(cookie, stream.begin, stream.end).target())
        if response.body == expected:
            return None
        return f"profile {cookie}: {expected!r} expected, {response.status} {response.body!r} came"

    profiles = _profiles(events)
    verdict.profiles += len(profiles)
    outcomes = await asyncio.gather(*(wrong(*profile) for profile in profiles.items()))
    return [outcome for outcome in outcomes if outcome is not None]


async def _wrong_minutes(http: Http, stream: Stream, groups: Groups) -> list[str]:
    """The API's own sums, minute by minute over all groups."""
    problems = []
    last = -(-stream.end // MINUTE_MS) * MINUTE_MS
    for begin, action in product(range(stream.begin, last, MINUTES * MINUTE_MS), ("VIEW", "BUY")):
        query = AggregateQuery(begin, min(begin + MINUTES * MINUTE_MS, last), action, ("COUNT", "SUM_PRICE"))
        number_of_minutes = (query.end - begin) // MINUTE_MS
        minutes = Minutes([0] * number_of_minutes, [0] * number_of_minutes, {})
        for (second, kind, *_), (number, total) in groups.items():
            if kind == action and begin <= second * 1000 < query.end:
                minutes.counts[(second * 1000 - begin) // MINUTE_MS] += number
                minutes.sums[(second * 1000 - begin) // MINUTE_MS] += total
        difference = judge_aggregates(query, (await http.post(query.target())).body, minutes)
        if difference is not None:
            problems.append(f"minutes: {difference.reason}; POST {difference.request}")
    return problems


def _profiles(events: pa.RecordBatch) -> dict[str, bytes]:
    """By cookie the answer of the API, from the archived events in the order of their times, each of which is one's
    own within a stream."""
    order = np.argsort(-events.column("time").to_numpy())
    lists: defaultdict[str, dict[str, list[bytes]]] = defaultdict(lambda: {"VIEW": [], "BUY": []})
    for tag in tags_of(events.take(pa.array(order))):
        newest = lists[tag.cookie][tag.action]
        if len(newest) < SHOWN:
            newest.append(encode_tag(tag))
    return {
        cookie: b'{"cookie":%b,"views":[%b],"buys":[%b]}'
        % (msgspec.json.encode(cookie), b",".join(kinds["VIEW"]), b",".join(kinds["BUY"]))
        for cookie, kinds in lists.items()
    }


def _wrong_letters(campaign: Campaign, kept: set[int], letters: Counter[bytes], verdict: Verdict) -> Iterator[str]:
    """Each malformed piece of an acknowledged record once; of another one all or none, with its tags."""
    mine = b"bad-%d-" % campaign.seed
    letters = Counter({piece: number for piece, number in letters.items() if mine in piece})
    for number, (record, indices) in enumerate(campaign.records.sent):
        acknowledged = number in campaign.records.acknowledged
        times = {campaign.mixed.traffic.time(index) for index in indices}
        found = [letters.pop(piece, 0) for piece in record.bad]
        verdict.letters += sum(found)
        if found != _expected(record, acknowledged or bool(times & kept), found):
            yield f"record {number} ({'' if acknowledged else 'not '}acknowledged): letters {found} of {record.bad}"
        if not acknowledged and times & kept and times - kept:
            yield f"record {number}: {len(times & kept)} of {len(times)} tags are there"
    for piece, number in letters.items():
        yield f"{number} letters of {piece!r}, which was never sent to the topic"


def _expected(record: MixedRecord, is_there: bool, found: list[int]) -> list[int]:
    """How often each piece is to be found. Of a record without tags that was not acknowledged only the letters say
    whether it is there."""
    if not is_there and not record.tags:
        is_there = found[0] == 1
    return [int(is_there)] * len(record.bad)


def _wrong_answers(campaign: Campaign) -> list[str]:
    """Answers while the faults went on may fail; none may be wrong, and nothing malformed may be taken."""
    report = campaign.report
    problems = [f"answer: {one.reason}; POST {one.request}" for one in report.differences[:5]]
    taken = {status: number for status, number in campaign.requests.answers.items() if 200 <= status < 300}
    if taken:
        problems.append(f"malformed requests were answered with {taken}")
    if not campaign.requests.answers[400]:
        problems.append("no malformed request was refused with 400")
    return problems


def _first(problems: Iterable[str], shown: int = 5) -> list[str]:
    found = list(problems)
    more = [f"and {len(found) - shown} more of these"] if len(found) > shown else []
    return [problem[:2000] for problem in found[:shown]] + more
