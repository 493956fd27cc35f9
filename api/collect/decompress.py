"""Request bodies that came compressed. A small one may unpack to gigabytes: it is read up to a bound, no further."""

import gzip
import io
import zlib
from typing import Final

import zstandard
from cramjam import DecompressionError, snappy

from api.problems import Problem, invalid

ENCODINGS: Final = ("identity", "gzip", "zstd", "snappy")
_ZSTD_WINDOW: Final = 8_388_608  # bytes; what RFC 9659 lets a body ask for
_ZSTD_PIECE: Final = 1024  # bytes; at worst they unpack to 32 MB, since 4 make a block of 128 KB


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
    except (OSError, EOFError, zlib.error, zstandard.ZstdError, DecompressionError) as error:
        raise invalid("", f"the body is not {encoding}: {error}") from None
    if len(data) > limit:
        raise Problem(413, "body-too-large", f"the body is larger than {limit} bytes when unpacked")
    return data


def _read(body: bytes, encoding: str, size: int) -> bytes:
    """The first `size` bytes, or some more."""
    if encoding == "gzip":
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            return file.read(size)
    if encoding == "snappy":
        return _read_snappy(body, size)
    return _read_zstd(body, size)


def _read_snappy(body: bytes, size: int) -> bytes:
    """The block format, as Prometheus sends it: it begins with the size that it unpacks to."""
    if snappy.decompress_raw_len(body) >= size:
        return bytes(size)  # too large: what is in it is of no interest
    return bytes(snappy.decompress_raw(body))


def _read_zstd(body: bytes, size: int) -> bytes:
    """Fed in pieces, because zstandard's readers take a frame that is cut off for a whole one."""
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame, chunks, length = context.decompressobj(), [], 0
    for start in range(0, len(body), _ZSTD_PIECE):
        piece = body[start : start + _ZSTD_PIECE]
        while piece and length < size:
            if frame.eof:
                frame = context.decompressobj()
            chunks.append(frame.decompress(piece))
            length += len(chunks[-1])
            piece = frame.unused_data
    if not frame.eof and length < size:
        raise EOFError("it ends within a frame")
    return b"".join(chunks)
