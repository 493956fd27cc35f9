"""Where a start without state begins: at a block's start, so that the blocks are cut as before."""

from uuid import UUID

import sql
from contracts.settings import Settings
from stores import clickhouse


def block_starts(settings: Settings, topic_id: UUID) -> dict[int, int]:
    """An offset for each partition: the start of the newest block of which all that came before is in ClickHouse.

    Empty when no block is listed yet; a partition without blocks is at 0, all others are as the store says.
    """
    with clickhouse.connect(settings) as client:
        rows = client.query(sql.read("queries/block_starts"), {"topic_id": str(topic_id)}).result_rows
    known = {int(partition): int(block) for partition, block in rows}
    return (
        {partition: known.get(partition, 0) for partition in range(settings.topics.user_tags.partitions)}
        if known
        else {}
    )
