"""Points as text, which are pairs, lines and StatsD: what each becomes, what is refused."""

import json
from typing import Any

import pytest

from api.collect import pairs
from api.collect.point_parse import read_errors, read_points
from api.collect.statsd_parse import StatsD
from api.problems import Problem
from contracts.points import InvalidPoint
from contracts.times import DAY_MS, FUTURE_MS
from tests.unit.found_points import NOW, fields, plain


class TestPairs:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (b"key=cpu&value=1.5", [("cpu", {}, NOW, 1.5)]),
            (b"key=success%20%25&value=-1e3&host=a&time=5", [("success %", {"host": "a"}, 5, -1000.0)]),
            (b"key=cpu&value=1&time=1970-01-01T00:00:01Z", [("cpu", {}, 1000, 1.0)]),
            (b"data=%7B%22cpu%22:1,%22time%22:9,%22host%22:%22a%22%7D", [("cpu", {"host": "a"}, 9, 1.0)]),
        ],
    )
    def test_query(self, query: bytes, expected: list[tuple[Any, ...]]) -> None:
        assert [(name, labels, *rest) for name, _, labels, *rest in map(fields, pairs.of_query(query, NOW))] == expected

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            (b"", "key"),
            (b"key=cpu", "value"),
            (b"key=cpu&value=", "value"),
            (b"key=cpu&value=many", "value"),
            (b"key=cpu&value=nan", "value"),
            (b"key=cpu&value=inf", "value"),
            (b"key=%22&value=1", "name"),
            (b"key=cpu&value=1&time=later", "time"),
            (b"key=cpu&value=1&tiem=1", "tiem"),
            (b"key=cpu&value=1&data=%7B%7D", "data"),
            (b"data=%7B", ""),
        ],
    )
    def test_what_is_wrong_in_a_query_is_named(self, query: bytes, field: str) -> None:
        with pytest.raises(Problem) as caught:
            pairs.of_query(query, NOW)
        assert (caught.value.status, caught.value.field) == (400, field)

    def test_json(self) -> None:
        body = [{"key": "cpu", "value": 1, "host": "a"}, {"time": 7, "load": 0.5, "net": 3}]
        found = [fields(point) for point in pairs.of_json(json.dumps(body).encode(), NOW)]
        labels = {"host": "a"}
        gauge = "gauge"
        assert found == [("cpu", gauge, labels, NOW, 1.0), ("load", gauge, {}, 7, 0.5), ("net", gauge, {}, 7, 3.0)]

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({}, ""),
            ([], ""),
            (5, ""),
            ({"host": "a"}, ""),
            ({"cpu": True}, "cpu"),
            ({"cpu": 1, "more": [1]}, "more"),
            ({"cpu": 10**400}, "cpu"),
            ({"value": 1}, "key"),
            ({"key": "cpu"}, "value"),
            ({"cpu": 1, "time": 1.5}, "time"),
            ({"cpu": 1, "time": NOW + FUTURE_MS + 1}, "time"),
            ([{"cpu": 1}, {"cpu": 1, "host": ""}], "labels"),
        ],
    )
    def test_what_is_wrong_in_json_is_named(self, document: Any, field: str) -> None:
        with pytest.raises(Problem) as caught:
            pairs.of_json(json.dumps(document).encode(), NOW)
        assert (caught.value.status, caught.value.field) == (400, field)


class TestLines:
    def test_points(self) -> None:
        body = b'{"name":"a","value":1}\n\n{"name":"b","value":2,"kind":"counter","time":3}\n{"name":"a"}'
        assert plain(read_points(body, NOW)) == [
            ("a", "gauge", {}, NOW, 1.0),
            ("b", "counter", {}, 3, 2.0),
            (4, "value"),
        ]

    @pytest.mark.parametrize(
        ("line", "time"),
        [
            ("2023-11-14T10:00:00Z\t1.2.3\t-7", NOW - 44_000_000),
            ("2023-11-14T10:00:00.000 1.2.3 -7", NOW - 44_000_000),
            ("2023-11-14 10:00:00,1.2.3,-7\r", NOW - 44_000_000),
            ("2023-11-14T11:00:00+01:00, 1.2.3, -7", NOW - 44_000_000),
            ("10:00:00 1.2.3 -7", NOW - 44_000_000),
            ("9:59:59.500 1.2.3 -7", NOW - 44_000_500),
            ("22:18:20 1.2.3 -7", NOW + FUTURE_MS),
            ("22:18:21 1.2.3 -7", NOW + FUTURE_MS + 1000 - DAY_MS),
        ],
    )
    def test_errors(self, line: str, time: int) -> None:
        expected = ("errors", "counter", {"build": "1.2.3", "code": "-7"}, time, 1.0)
        assert plain(read_errors(line.encode(), NOW)) == [expected]

    def test_bad_lines_of_errors(self) -> None:
        body = b"Timestamp Build_Version Error_Code\n\n1.2.3 -7\n25:00:00 a b\nnow a b\n1:00:00 a b c d\n1:00:00 a \xff"
        found = plain(read_errors(body, NOW))
        assert found[:4] == [(3, ""), (4, "time"), (5, "time"), (6, "")]
        assert found[4][2] == {"build": "a", "code": "�"}


class TestStatsD:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("hits:2|c", [("hits", "counter", {}, 2.0)]),
            ("hits:2|c|@0.1", [("hits", "counter", {}, 20.0)]),
            ("took:3.5|ms", [("took", "histogram", {}, 3.5)]),
            ("took:3.5:4|h", [("took", "histogram", {}, 3.5), ("took", "histogram", {}, 4.0)]),
            ("took:3|h|@0.5|#host:a,slow", [("took", "histogram", {"host": "a", "slow": "true"}, 3.0)]),
            ("took:1|d", [("took", "histogram", {}, 1.0)]),
            ("temp:-5|g", [("temp", "gauge", {}, -5.0)]),
        ],
    )
    def test_types(self, line: str, expected: list[tuple[Any, ...]]) -> None:
        assert [(*fields(point)[:3], point.value) for point in StatsD().take(line, NOW)] == expected

    def test_gauges_may_come_as_changes(self) -> None:
        statsd = StatsD()
        lines = ["temp:10|g", "temp:+2|g", "temp:-5|g", "other:+1|g"]
        values = [point.value for line in lines for point in statsd.take(line, NOW)]
        assert values == [10.0, 12.0, 7.0, 1.0]

    def test_sets_are_counted(self) -> None:
        statsd = StatsD()
        for line in ("users:ann|s", "users:bob|s", "users:ann|s", "users:ann|s|#host:a"):
            assert statsd.take(line, NOW) == []
        found = [(dict(point.series.labels), point.value) for point in statsd.sets(NOW)]
        assert found == [({}, 2.0), ({"host": "a"}, 1.0)]
        assert statsd.sets(NOW) == []

    @pytest.mark.parametrize(
        "line",
        ["", "hits", "hits:1", "hits:1|x", "hits:a|c", "hits:nan|g", "hits:1|c|@0", "hits:1|c|@2", ":1|c", "a:|g"],
    )
    def test_bad_lines(self, line: str) -> None:
        with pytest.raises(InvalidPoint):
            StatsD().take(line, NOW)
