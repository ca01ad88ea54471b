"""Files that only their owner may read, replaced as a whole or not at all.

`keys.json` and `config.json` are read, changed and written by commands that may run at the same time. A
change is therefore made under a lock (`locked`), and the new content takes the old one's place in one step
(`replace`): a reader sees the file before or after, never half of it, also when the power fails in between.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.errors import StoreProblem

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["PRIVATE_FILE_MODE", "locked", "make_private", "replace"]

PRIVATE_FILE_MODE = 0o600
LOCK_WAIT_S = 10.0  # a change takes a millisecond; whoever holds the lock longer is stopped or stuck
LOCK_POLL_S = 0.005


@contextmanager
def locked(path: Path, *, wait_s: float = LOCK_WAIT_S) -> Generator[None]:
    """Hold the lock that belongs to `path`: a file beside it, with ".lock" appended, which stays there.

    The lock is for changes; reading needs none. It excludes other threads as well, and is freed if we die.

    Args:
        path: what is changed under the lock, a file or a folder.
        wait_s: how long to wait for another process, in seconds.

    Raises:
        StoreProblem: another process holds it for longer than that, or the folder cannot be written.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
    except OSError as error:
        raise StoreProblem(
            f"{path} cannot be changed: {lock_path}: {error.strerror}; make the folder writable."
        ) from error
    try:
        _take(descriptor, path, wait_s)
        yield
    finally:
        os.close(descriptor)  # closing frees the lock


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file in one step; the file is then readable by its owner alone.

    Call it under `locked(path)`. A symbolic link is followed, so that a file kept elsewhere stays there.

    Raises:
        StoreProblem: the disk is full, or the folder cannot be written. The old file is then still there.
    """
    target = Path(os.path.realpath(path))
    fresh = target.with_name(target.name + ".new")  # under the lock one name is enough: none pile up
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        fresh.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StoreProblem(
            f"{path} cannot be written: {error.strerror}; the old file is unchanged."
        ) from error


def make_private(path: Path) -> None:
    """Take away what other users may do with the file, if it is there and ours (it may be a copy)."""
    with suppress(OSError):
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            path.chmod(mode & 0o700)


def _take(descriptor: int, path: Path, wait_s: float) -> None:
    import fcntl
    import time

    give_up = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise StoreProblem(
                    f"{path} cannot be changed: another process holds its lock for more than "
                    f"{wait_s:.0f} s; end that process and try again."
                ) from None
            time.sleep(LOCK_POLL_S)
        except OSError as error:
            raise StoreProblem(
                f"{path} cannot be changed: its file system offers no locks ({error.strerror}); "
                "keep the user folder on a local disk."
            ) from error
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
