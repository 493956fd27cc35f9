"""Partitions spread over Flink's subtasks."""

from collections import Counter

import pytest
from pyflink.java_gateway import get_gateway

from jobs.flink import partition_keys
from tests.flink.conftest import Environments


def subtask(key: int, groups: int, parallelism: int) -> int:
    """Where Flink sends rows of this key."""
    jvm = get_gateway().jvm
    row = jvm.org.apache.flink.types.Row(1)
    row.setField(0, key)
    assignment = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment
    number: int = assignment.assignKeyToParallelOperator(row, groups, parallelism)
    return number


@pytest.mark.parametrize(("partitions", "groups"), [(1, 128), (4, 128), (8, 128), (12, 256)])
@pytest.mark.parametrize("parallelism", [1, 2, 4])
def test_partitions_spread_evenly(environments: Environments, partitions: int, groups: int, parallelism: int) -> None:
    keys = partition_keys(partitions, groups)
    assert len(set(keys)) == partitions
    load = Counter(subtask(key, groups, parallelism) for key in keys)
    assert max(load.values()) == -(-partitions // parallelism)
    assert len(load) == min(partitions, parallelism)


def test_a_partition_keeps_its_key(environments: Environments) -> None:
    """Keys stand in savepoints."""
    assert partition_keys(4, 128) == (250, 13, 22, 113)
