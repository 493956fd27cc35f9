"""`POST|GET /user_profiles/{cookie}`: the newest views and buys of a cookie."""

import asyncio
from typing import Final
from urllib.parse import unquote

import msgspec

from analysis.profiles import Profile, ProfileEvent, select
from api.asgi import JSON, Receive, Response, Scope, skip_body
from api.parameters import parse_query, time_range, whole_number
from api.problems import invalid, unavailable
from stores.profiles import ProfileStore, ProfilesUnavailable

PATH: Final = "/user_profiles/"
_KNOWN: Final = ("time_range", "limit")
_MOST: Final = 200  # of each list, by the contract


class ProfileHandler:
    """Reads one profile from the store. The body, a tester's expected answer, is read and ignored."""

    def __init__(self, store: ProfileStore) -> None:
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive) -> Response:
        await skip_body(receive)
        cookie = _cookie(scope)
        parameters = parse_query(scope["query_string"], _KNOWN)
        begin, end = time_range(parameters, required=False)
        limit = whole_number(parameters, "limit", _MOST, 0, _MOST)
        profile = await self._read(cookie)
        views, buys = select(profile.views, begin, end, limit), select(profile.buys, begin, end, limit)
        return Response(200, _document(cookie, views, buys), JSON)

    async def _read(self, cookie: str) -> Profile:
        try:
            if self._store.blocking:
                return await asyncio.get_running_loop().run_in_executor(None, self._store.read, cookie)
            return self._store.read(cookie)
        except ProfilesUnavailable as error:
            raise unavailable(str(error)) from None


def _cookie(scope: Scope) -> str:
    """The rest of the path, percent-decoded; it may hold slashes."""
    path = scope.get("raw_path") or scope["path"].encode()
    try:
        cookie = unquote(path.partition(b"?")[0].decode("ascii"), errors="strict").removeprefix(PATH)
    except UnicodeDecodeError:
        raise invalid("cookie", "is not percent-encoded UTF-8") from None
    if not cookie:
        raise invalid("cookie", "is missing: /user_profiles/{cookie}")
    return cookie


def _document(cookie: str, views: list[ProfileEvent], buys: list[ProfileEvent]) -> bytes:
    parts = (
        b'{"cookie":',
        msgspec.json.encode(cookie),
        b',"views":[',
        b",".join([event.json for event in views]),
        b'],"buys":[',
        b",".join([event.json for event in buys]),
        b"]}",
    )
    return b"".join(parts)
