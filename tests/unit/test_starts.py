"""Where a start without state begins in a partition, by what is listed and where the log begins."""

import pytest

from jobs.starts import StartError, start_of

BLOCK, LAST = 1000, 5000


@pytest.mark.parametrize(
    ("begin", "start"),
    [
        (0, BLOCK),
        (BLOCK, BLOCK),
        (BLOCK + 1, LAST + 1),  # the rest of the block would be counted a second time, under another name
        (LAST, LAST + 1),
        (LAST + 1, LAST + 1),
    ],
)
def test_a_part_of_a_block_is_never_read_again(begin: int, start: int) -> None:
    assert start_of(0, begin, (BLOCK, LAST)) == start


def test_a_partition_without_blocks_begins_where_its_log_does() -> None:
    assert start_of(0, 7, None) == 7


def test_a_log_that_begins_after_all_that_is_listed_is_refused() -> None:
    with pytest.raises(StartError, match=f"partition 3: .* reach offset {LAST}, and the log begins at 5002"):
        start_of(3, LAST + 2, (BLOCK, LAST))
