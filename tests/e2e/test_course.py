"""A short run of the course's mix, judged on correctness alone: machines of CI are too busy to judge speed."""

import uvloop

from contracts.settings import Settings
from testbed.driver import Driver, Load
from testbed.generator import START_MS, Traffic
from testbed.report import Report

DAY_MS = 86_400_000
# 1.5 s of event time before a minute ends: at 300 tags/s it is judged 25 s after the start.
BEGIN = START_MS + 30 * DAY_MS + 58_500
GRACE = 20.0  # seconds until a tag must be seen: twice what is promised, for machines that do other things too


def test_every_answer_of_a_short_course_is_right(stack: Settings) -> None:
    async def run() -> Report:
        # Few cookies, so that some have more tags than are shown.
        traffic = Traffic(seed=11, start_ms=BEGIN, cookies=300)
        return await Driver(Load(stack.host, stack.api.port, 300, 50, 2), traffic, GRACE).run(26)

    report: Report = uvloop.run(run())
    assert report.passed, report.as_text()
    assert report.tags.sent == report.logical_ms > 7700
    assert report.aggregates.sent >= 50
    assert report.sweep.sent > 100
