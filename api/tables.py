"""Answers of free and of named queries, in the format that was asked for."""

import re
from collections.abc import Callable
from typing import Final

from flask import Response

from api.problems import Problem, unavailable
from api.warehouse import QueryRefused, WarehouseUnavailable

PARAMETER: Final = re.compile(r"\{(\w+):(\w[\w(), ]*)\}")  # of a statement: name and type, such as Array(Tuple(String))
# By name in a URL: ClickHouse's own format, and the content type.
FORMATS: Final = {
    "json": ("JSON", "application/json"),
    "csv": ("CSVWithNames", "text/csv"),
    "arrow": ("ArrowStream", "application/vnd.apache.arrow.stream"),
}


def answer(query: Callable[[str], bytes], name: str) -> Response:
    """What `query` answers in ClickHouse's format for `name`; Problem 400 with ClickHouse's words when it refuses."""
    output, content_type = FORMATS[name]
    try:
        return Response(query(output), content_type=content_type)
    except QueryRefused as error:
        raise Problem(400, "query-refused", str(error)) from None
    except WarehouseUnavailable as error:
        raise unavailable(str(error)) from None
