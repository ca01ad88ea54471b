"""Brings one address to one file, and goes on where an earlier attempt ended.

Theory of operation. `NAME.part` holds the bytes so far and `NAME.json` says what they are the beginning of. A
part is continued only when address, expected digest and the server's validator are the same; a server that
ignores the range, or answers with another file, costs a restart, never a wrong result. The caller holds the
lock of the file (see `store`) and checks the digest afterwards: a resumed file that fails its check is
fetched once more from the start.
"""

from __future__ import annotations

import http.client
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import msgspec

from cellwall_kernel.assets.failures import SourceFailed, cause_of, is_passing
from cellwall_kernel.assets.web import Patience, Web, host_of, without_credentials

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from pathlib import Path

    from cellwall_kernel.assets.progress import Progress

__all__ = ["Download"]

_CHUNK_BYTES = 256 * 1024
# A server that breaks off again and again is given up in the end, even if each time some bytes arrive.
_MAX_ROUNDS = 50


class _PartInfo(msgspec.Struct, kw_only=True):
    """What a part is the beginning of."""

    url: str
    expected: str
    validator: str = ""
    total: int | None = None


class _Restart(Exception):
    """Raised when the server's answer does not continue the part."""


class Download:
    """One file that is being fetched.

    Args:
        web: opens addresses.
        part: where the bytes go; `part` with suffix `.json` beside it.
        limit: the most bytes that may be written.
        progress: is told of every chunk.
    """

    def __init__(self, web: Web, part: Path, *, limit: int, progress: Progress) -> None:
        self._web = web
        self._part = part
        self._info_file = part.with_suffix(".json")
        self._limit = limit
        self._progress = progress

    def run(self, url: str, *, label: str, expected: str, size: int | None) -> bool:
        """Fetch `url` into the part.

        Args:
            url: http(s), may contain credentials.
            label: for the progress display.
            expected: the digest that the whole file has to have, as far as known; identifies the part.
            size: in bytes, if known.

        Returns:
            Whether bytes of an earlier run were used.

        Raises:
            SourceFailed: the source does not work; what has arrived stays for the next time.
            OSError: the part cannot be written.
        """
        self._adopt(without_credentials(url), expected)
        was_resumed = self._done() > 0
        patience = self._web.patience
        failures = 0
        cause = ""
        for _round in range(_MAX_ROUNDS):
            before = self._done()
            try:
                self._transfer(url, label, size)
                return was_resumed
            except _Restart:
                self.discard()
                was_resumed = False
                cause = f"{host_of(url)} changes its answer all the time"
                failures += 1
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, _DiskError):
                    raise error.cause from error
                cause = cause_of(error, host_of(url))
                if not is_passing(error):
                    raise SourceFailed(cause) from error
                failures = 1 if self._done() > before else failures + 1
            if failures >= patience.attempts:
                break
            time.sleep(patience.pause_s * 2 ** (failures - 1))
        raise SourceFailed(cause)

    def discard(self) -> None:
        """Forget what has arrived."""
        self._part.unlink(missing_ok=True)
        self._info.validator, self._info.total = "", None

    def forget(self) -> None:
        """Remove the part and what is known about it, after it was used."""
        self._part.unlink(missing_ok=True)
        self._info_file.unlink(missing_ok=True)

    def _adopt(self, url: str, expected: str) -> None:
        """Take over an earlier part if it is the beginning of the same file."""
        self._info = _PartInfo(url=url, expected=expected)
        try:
            earlier = msgspec.json.decode(self._info_file.read_bytes(), type=_PartInfo)
        except (OSError, msgspec.MsgspecError):
            earlier = None
        # Without digest and validator nothing says that the rest would be of the same file.
        if (
            earlier
            and earlier.url == url
            and earlier.expected == expected
            and (expected or earlier.validator)
        ):
            self._info = earlier
        else:
            self.discard()

    def _done(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def _transfer(self, url: str, label: str, size: int | None) -> None:
        """One request: ask for what is missing and write it down."""
        done = self._done()
        if size is not None and done == size:
            return
        headers = {"Accept-Encoding": "identity"}
        if done:
            headers["Range"] = f"bytes={done}-"
            if self._info.validator:
                headers["If-Range"] = self._info.validator
        try:
            response = self._web.open(url, headers)
        except http.client.HTTPException:
            raise
        except OSError as error:
            if (
                isinstance(error, HTTPError)
                and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                and done
            ):
                if error.headers.get("Content-Range") == f"bytes */{done}":
                    return  # nothing is missing; the digest decides
                raise _Restart from error
            raise
        with response:
            done, total = self._agree(response, done)
            total = size if total is None else total
            if total is not None and total > self._limit:
                raise SourceFailed(
                    f"{host_of(url)} offers {total} bytes where at most {self._limit} are expected"
                )
            self._progress.started(label, total, done)
            self._copy(response, url, done, total)

    def _agree(self, response: HTTPResponse, done: int) -> tuple[int, int | None]:
        """Find out what the answer is: the rest of the part, or the file from its start.

        Returns:
            The offset that the body begins with, and the size of the whole file if it is known.
        """
        total: int | None = None
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            if start != done or (self._info.total is not None and total != self._info.total):
                raise _Restart
        else:
            self.discard()
            done = 0
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        self._info.total = total
        tag = response.headers.get("ETag", "")
        self._info.validator = tag if tag.startswith('"') else ""  # a weak tag promises nothing about bytes
        try:
            self._info_file.write_bytes(msgspec.json.encode(self._info))
        except OSError as error:
            raise _DiskError(error) from error
        return done, total

    def _copy(self, response: HTTPResponse, url: str, done: int, total: int | None) -> None:
        pace = _Pace(self._web.patience)
        try:
            part = self._part.open("ab", buffering=0)
        except OSError as error:
            raise _DiskError(error) from error
        with part:
            while chunk := response.read1(_CHUNK_BYTES):
                done += len(chunk)
                if done > (self._limit if total is None else total):
                    self.discard()
                    raise SourceFailed(
                        f"{host_of(url)} sends more than the {total or self._limit} bytes expected"
                    )
                try:
                    part.write(chunk)
                except OSError as error:
                    raise _DiskError(error) from error
                self._progress.advanced(len(chunk))
                pace.count(len(chunk), host_of(url))
        if total is not None and done < total:
            raise ConnectionError(f"after {done} of {total} bytes")


class _DiskError(OSError):
    """Wraps an error of our own disk, so that it is not taken for one of the network."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Pace:
    """Notices a server that trickles: each read succeeds, and still nothing arrives."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since = time.monotonic()
        self._bytes = 0

    def count(self, count: int, host: str) -> None:
        """Add `count` bytes.

        Raises:
            SourceFailed: too few arrived in the last window.
        """
        self._bytes += count
        now = time.monotonic()
        if now - self._since < self._patience.window_s:
            return
        if self._bytes < self._patience.window_bytes:
            raise SourceFailed(
                f"{host} sends almost nothing ({self._bytes} bytes in {now - self._since:.0f} s)"
            )
        self._since, self._bytes = now, 0


def _content_range(text: str) -> tuple[int, int | None]:
    """Read `bytes 100-199/1000`.

    Raises:
        _Restart: it is something else.
    """
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0]
    if unit != "bytes" or not start.isdecimal():
        raise _Restart
    return int(start), int(total) if total.isdecimal() else None
