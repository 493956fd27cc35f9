"""What a part says over its own HTTP."""

import http.client
import urllib.error
import urllib.request


def fetch(port: int, path: str) -> tuple[int, str]:
    """Status and body; status 0 and the reason when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (OSError, http.client.HTTPException) as error:  # also one that was killed in the middle
        return 0, str(error)
