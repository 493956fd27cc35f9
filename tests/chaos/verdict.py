"""Judges what the platform holds after a campaign: every tag by its fate, and archive, aggregates, profiles and dead
letters by each other."""

import asyncio
from collections.abc import Iterable
from itertools import product
from typing import Final

import msgspec

from contracts.settings import Settings
from stores import archive, clickhouse
from testbed.judge import Minutes, judge_aggregates
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery
from tests.chaos import evidence, expectations
from tests.chaos.campaign import Campaign
from tests.chaos.expectations import Groups, Tally
from tests.chaos.http import Http
from tests.chaos.streams import Stream

AT_ONCE: Final = 8
MINUTES: Final = 600  # of an aggregate query
PATIENCE: Final = 120.0  # seconds for the flushes that follow the last checkpoint
AGAIN: Final = 2.0


class Verdict(msgspec.Struct):
    """`problems` is empty when every promise was kept; the counts say of how much that is true."""

    problems: list[str] = []
    acknowledged: int = 0
    unknown: int = 0  # sent and not acknowledged
    unknown_kept: int = 0  # of these, there all the same
    letters: int = 0
    profiles: int = 0

    def add(self, tally: Tally, profiles: int) -> None:
        """What a stream's events count."""
        self.acknowledged += tally.acknowledged
        self.unknown += tally.unknown
        self.unknown_kept += tally.unknown_kept
        self.profiles += profiles


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
    mixed: set[int] = set()  # times of that stream's tags that are archived
    for stream in campaign.streams:
        events = await asyncio.to_thread(evidence.archived, settings, stream.begin, stream.end)
        if stream is campaign.mixed:
            mixed = set(events.column("time").to_pylist())
        groups, profiles = expectations.groups_of(events), expectations.profiles_of(stream, events)
        counted = await asyncio.to_thread(evidence.counted, settings, stream.begin, stream.end)
        verdict.add(expectations.tally(stream, events), len(profiles))
        verdict.problems += _first(expectations.wrong_in_archive(stream, events))
        verdict.problems += _first(expectations.wrong_groups(groups, counted))
        verdict.problems += _first(await _wrong_minutes(http, stream, groups))
        verdict.problems += _first(await _wrong_profiles(http, stream, profiles))
    http.close()
    letters = await asyncio.to_thread(evidence.letters, settings, b"bad-%d-" % campaign.seed)
    verdict.letters = letters.total()
    verdict.problems += _first(expectations.wrong_letters(campaign.records.sent, mixed, letters))
    with clickhouse.connect(settings) as client:
        differences = archive.differences(client, settings.clickhouse.archive_days)
    verdict.problems += _first(f"audit: {difference}" for difference in differences)
    verdict.problems += _wrong_answers(campaign)
    return verdict


async def _wrong_profiles(http: Http, stream: Stream, profiles: dict[str, bytes]) -> list[str]:
    """What the API answers otherwise."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def wrong(cookie: str, expected: bytes) -> str | None:
        async with turns:
            response = await http.post(ProfileQuery(cookie, stream.begin, stream.end).target())
        if response.body == expected:
            return None
        return f"profile {cookie}: {expected!r} expected, {response.status} {response.body!r} came"

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
