"""One POST, and what its answer means for trying again."""

import http.client
import urllib.error
import urllib.request
from typing import Final

from alerts.receiver import SENT, Outcome

# Answers that say nothing about the message: too slow, too early, too many, or the server's own trouble.
_LATER: Final = (408, 425, 429)
_LONGEST_WAIT: Final = 3600  # seconds; a receiver that asks for more is asked again all the same


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET, and carry secrets to another address."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


def post(url: str, body: bytes, headers: dict[str, str], timeout: float) -> Outcome:
    """Sends `body`; only http and https. The address is not in the outcome, as it may hold a secret."""
    if not url.startswith(("http://", "https://")):
        return Outcome("refused", "the address is neither http nor https")
    try:
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  # checked above
        with _OPENER.open(request, timeout=timeout):
            return SENT
    except urllib.error.HTTPError as error:
        with error:
            detail = f"answered {error.code}: {error.read(200).decode(errors='replace').strip()}"
        if error.code in _LATER or error.code >= 500:
            return Outcome("retry", detail, _wait(error.headers.get("Retry-After")))
        return Outcome("refused", detail)
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return Outcome("retry", f"no answer: {reason}")
    except ValueError:
        return Outcome("refused", "the address is not one")


def _wait(header: str | None) -> int:
    seconds = int(header) if header and header.isascii() and header.isdigit() and len(header) < 9 else 0
    return min(seconds, _LONGEST_WAIT) * 1000
