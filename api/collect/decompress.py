"""Request bodies that came compressed. A small one may unpack to gigabytes: it is read up to a bound, no further."""

import gzip
import io
import zlib
from typing import Final

import zstandard

from api.problems import Problem, invalid

ENCODINGS: Final = ("identity", "gzip", "zstd")
_ZSTD_WINDOW: Final = 8_388_608  # bytes; what RFC 9659 lets a body ask for


def check_encoding(name: str) -> str:
    """The content encoding in lower case, `identity` for none; Problem 415 for one that is not taken."""
    encoding = name.strip().lower() or "identity"
    if encoding not in ENCODINGS:
        detail = f"content-encoding {encoding!r} is not taken, use one of {', '.join(ENCODINGS)}"
        raise Problem(415, "unsupported-encoding", detail, headers={"Accept-Encoding": ", ".join(ENCODINGS)})
    return encoding


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The unpacked body; Problem 413 when it is larger than `limit` bytes, 400 when it cannot be unpacked."""
    if encoding == "identity":
        return body
    try:
        data = _read(body, encoding, limit + 1)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise invalid("", f"the body is not {encoding}: {error}") from None
    if len(data) > limit:
        raise Problem(413, "body-too-large", f"the body is larger than {limit} bytes when unpacked")
    return data


def _read(body: bytes, encoding: str, size: int) -> bytes:
    if encoding == "gzip":
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            return file.read(size)
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with context.stream_reader(body, read_across_frames=True) as reader:
        return _read_up_to(reader, size)


def _read_up_to(reader: zstandard.ZstdDecompressionReader, size: int) -> bytes:
    """`read` of this reader may return less than there is."""
    chunks = []
    while size > 0 and (chunk := reader.read(min(size, 1_048_576))):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
