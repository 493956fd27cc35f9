"""Bearer tokens. Without tokens in the settings everything is open, which settings allow on loopback only."""

import hmac
from typing import Final

from api.asgi import Scope, header
from api.problems import Problem
from contracts.settings import Settings

# Probes of supervisors and orchestrators carry no token; what these answer is no secret.
_OPEN: Final = ("/healthz", "/readyz")


class Authenticator:
    """Checks requests against the settings' tokens."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = [token.get_secret_value().encode() for token in settings.api.tokens]

    def check(self, scope: Scope) -> None:
        """Problem 401 when tokens are demanded and the request has none of them."""
        if not self._tokens or scope["path"] in _OPEN:
            return
        scheme, _, given = header(scope, b"authorization").partition(b" ")
        # Every token is compared, in constant time: the time taken tells nothing.
        matches = [hmac.compare_digest(given.strip(), token) for token in self._tokens]
        if scheme.lower() != b"bearer" or not any(matches):
            challenge = {"WWW-Authenticate": 'Bearer realm="tidewatch"'}
            raise Problem(401, "unauthorized", "send Authorization: Bearer <one of api.tokens>", headers=challenge)
