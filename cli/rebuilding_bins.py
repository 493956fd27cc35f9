"""What `tidewatch rebuild bins` does: bins of whole blocks from the points that are kept, counted as the job counts."""

import time
from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.client import Client
from rich.progress import track

from analysis import bins
from analysis.bin_counting import BinCount, fine_bins
from analysis.bins import Fine
from analysis.blocks import Block
from contracts.names import BINS_TABLE
from contracts.points import Series
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from contracts.watched_bins import Spans
from jobs.point_rows import bin_rows
from stores import archive, point_archive
from stores.point_archive import ListedBlock

ARCHIVE_SECONDS: Final = 5.0  # at most, until what is counted is kept too
RETRY_SECONDS: Final = 1.0


def recount(client: Client, settings: Settings, watched: Mapping[str, Spans], deadline: float) -> int:
    """Counts all listed blocks anew, and again those that then differ from the points, until `deadline` (monotonic);
    how many differences remain. Rows come out as the job writes them, to the bit. `watched`: see `fine_bins`."""
    days = settings.clickhouse.points_days
    fine = fine_bins(settings.jobs, watched)
    series = point_archive.series_of_metrics(client, sorted({name for metrics in fine.values() for name in metrics}))
    patience = min(deadline, time.monotonic() + ARCHIVE_SECONDS)
    while archive.ahead(client, archive.POINTS) and time.monotonic() < patience:
        time.sleep(RETRY_SECONDS)
    for block in track(point_archive.blocks(client, days), "counting blocks of points"):
        _recount_block(client, block, series, fine)
    while (found := point_archive.differences(client, days)) and time.monotonic() < deadline:
        time.sleep(RETRY_SECONDS)
        wrong = {(one.topic_id, one.partition, one.block) for one in found}
        for block in point_archive.blocks(client, days):
            if block[:3] in wrong:
                _recount_block(client, block, series, fine)
    return len(found)


def _recount_block(client: Client, listed: ListedBlock, series: Mapping[int, Series], fine: Fine) -> None:
    points = point_archive.points_of(client, listed)
    if points.num_rows == 0:
        return
    counted = bins.add([bins.of_points(points, series, fine)])
    block = Block(listed.first, listed.ingested // MINUTE_MS, points.num_rows, listed.last, listed.ingested)
    rows = bin_rows([BinCount(block, counted, -1)], listed.topic_id, listed.partition)
    client.insert_arrow(BINS_TABLE, rows)
