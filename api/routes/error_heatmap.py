"""`GET /api/v1/errors/heatmap`: how often each error code came, build by build."""

from typing import Final

import msgspec
from flask import Blueprint, Response, request

from api.moments import moment, span, zone
from api.parameters import one, parse_query
from api.points_query import ask
from api.problems import invalid
from api.services import Services, wall_clock

_KNOWN: Final = ("from", "to", "bin", "old", "new", "tz")
_MOST_SLOTS: Final = 11_000


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("error_heatmap", __name__)

    @routes.get("/api/v1/errors/heatmap")
    def heatmap() -> Response:
        """Cells without any error are left out. With `old` and `new`, two builds, each cell has their ratio."""
        given = parse_query(request.query_string, _KNOWN)
        now, local = wall_clock(), zone(one(given, "tz"))
        step = span("bin", one(given, "bin") or "10s")
        begin = moment("from", one(given, "from") or "now-1h", now, local) // (step * 1000) * step
        end = -(-moment("to", one(given, "to") or "now", now, local) // (step * 1000)) * step
        if begin >= end:
            raise invalid("to", "must be later than from")
        if (end - begin) // step > _MOST_SLOTS:
            raise invalid("bin", f"makes more than {_MOST_SLOTS} bins: choose a longer one")
        old, new = one(given, "old"), one(given, "new")
        if (old is None) != (new is None):
            raise invalid("new", "old and new are given both, or none")
        cells: dict[tuple[str, int], dict[str, float]] = {}
        for code, slot, build, count in ask(services, "error_heatmap", {"begin": begin, "end": end, "step": step}):
            cells.setdefault((code, (begin + slot * step) * 1000), {})[build] = count
        document = {
            "from": begin * 1000,
            "to": end * 1000,
            "bin": step,
            "builds": sorted({build for counts in cells.values() for build in counts}),
            "codes": sorted({code for code, _ in cells}),
            "cells": [
                {"code": code, "start": start, "counts": counts, "ratio": _ratio(counts, old, new)}
                for (code, start), counts in cells.items()
            ],
        }
        return Response(msgspec.json.encode(document), mimetype="application/json")

    return routes


def _ratio(counts: dict[str, float], old: str | None, new: str | None) -> float | None:
    if old is None or new is None:
        return None
    return counts.get(new, 0.0) / max(counts.get(old, 0.0), 1.0)
