"""A folder of batches that could not be sent yet: one file a batch, called as its key, so the oldest sorts first."""

from pathlib import Path

from client.batch import Batch


class Spill:
    """At most `limit` bytes; whatever the disk does, nothing is raised."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._unreadable: set[Path] = set()

    def keep(self, batch: Batch) -> bool:
        """Whether the batch is on disk now. Written beside and renamed: a crash leaves no half of one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            data = b"\n".join(batch.lines)
            if sum(path.stat().st_size for path in self._files()) + len(data) > self._limit:
                return False
            path = self._path(batch)
            beside = path.with_suffix(".new")
            beside.write_bytes(data)
            beside.replace(path)
        except OSError:
            return False
        return True

    def oldest(self) -> Batch | None:
        """None when there is none that can be read."""
        for path in self._files():
            if path not in self._unreadable:
                try:
                    return Batch(path.stem, path.read_bytes().split(b"\n"))
                except OSError:
                    self._unreadable.add(path)
        return None

    def forget(self, batch: Batch) -> None:
        """After it was sent; a file that cannot be removed is not sent again by this program."""
        path = self._path(batch)
        try:
            path.unlink()
        except OSError:
            self._unreadable.add(path)

    def _path(self, batch: Batch) -> Path:
        return self._folder / f"{batch.key}.ndjson"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.ndjson"))
