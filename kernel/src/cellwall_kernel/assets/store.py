"""Where fetched files lie, and who may write there: `assets/<sha256>/<file>`, named by content, mode 0444.

A file is complete from the moment it has its name: it is written elsewhere, flushed and renamed. `FetchLock`
makes parallel programs fetch one file once. The record of files that a user added is in `user_files`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from cellwall_kernel.errors import AssetProblem
from cellwall_kernel.paths import PRIVATE_FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from cellwall_kernel.assets.spec import AssetSpec
    from cellwall_kernel.paths import Paths

__all__ = [
    "FetchLock",
    "asset_path",
    "assets_folder",
    "discard",
    "is_present",
    "partial_path",
    "place",
    "sha256_of",
]

_FILE_MODE = 0o444
_POLL_S = 0.1  # how often a waiting program looks whether the other one has finished
_CHUNK_BYTES = 1024 * 1024


def assets_folder(paths: Paths) -> Path:
    """Return the folder of all data files, which need not exist: looking for a file makes no folder."""
    return paths.root / "assets"


def asset_path(paths: Paths, spec: AssetSpec) -> Path:
    """Return where the file of `spec` lies, or will lie."""
    return assets_folder(paths) / spec.sha256 / spec.file


def is_present(paths: Paths, spec: AssetSpec) -> bool:
    """Whether the file is there and has its size; its content was checked when it was placed."""
    try:
        status = asset_path(paths, spec).stat()
    except OSError:
        return False
    return status.st_size == spec.size if spec.size is not None else status.st_size > 0


def partial_path(paths: Paths, name: str) -> Path:
    """Return a place for an unfinished file, in a folder that exists.

    Raises:
        StoreProblem: the folder cannot be made.
    """
    return paths.folder("assets", "partial") / name


def place(temporary: Path, target: Path) -> None:
    """Give a complete file its final name, so that it survives a power cut from then on.

    Raises:
        OSError: the disk does not allow it.
    """
    target.parent.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.fchmod(descriptor, _FILE_MODE)
    finally:
        os.close(descriptor)
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def discard(path: Path) -> None:
    """Remove a file and its folder if nothing else is in it.

    Raises:
        OSError: the disk does not allow it.
    """
    path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or already gone
        path.parent.rmdir()


def sha256_of(path: Path) -> str:
    """Return the digest of a file.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FetchLock:
    """Held while one file is fetched; a second program waits here and then finds the file.

    The lock belongs to the process, so a killed program leaves none behind.

    Args:
        path: the lock file; it stays.
        label: the file, for messages.
        part: what the holder writes; as long as it changes, waiting makes sense.
        stalled_s: how long it may stay unchanged.
        waiting: is called once, when there is something to wait for.
    """

    def __init__(
        self, path: Path, *, label: str, part: Path, stalled_s: float, waiting: Callable[[], None]
    ) -> None:
        self._path = path
        self._label = label
        self._part = part
        self._stalled_s = stalled_s
        self._waiting = waiting
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def _wait(self) -> None:
        if self._is_ours():
            return
        self._waiting()
        seen, since = self._state(), time.monotonic()
        while not self._is_ours():
            state, now = self._state(), time.monotonic()
            if state != seen:
                seen, since = state, now
            elif now - since > self._stalled_s:
                raise AssetProblem(
                    f"another program has been fetching {self._label} for {now - since:.0f} s without "
                    "getting on; end it and try again."
                )
            time.sleep(_POLL_S)

    def _is_ours(self) -> bool:
        import fcntl

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _state(self) -> tuple[int, int]:
        try:
            status = self._part.stat()
        except OSError:
            return 0, 0
        return status.st_size, status.st_mtime_ns
