"""A real web server on this machine that can be told to behave badly, and real wheels for it to serve."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from cellwall_kernel.assets.index_settings import IndexSettings
from cellwall_kernel.assets.progress import SilentProgress
from cellwall_kernel.assets.spec import AssetSpec
from cellwall_kernel.assets.web import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 15.0
"""How long one thing may take before a test fails."""

QUICK = Patience(silence_s=5.0, pause_s=0.01)
"""As in the product, without long pauses between attempts."""

CONTENT = b"GGUF" + bytes(range(256)) * 4096
"""The file of the tests: 1 MB and a bit, so that it takes several reads."""

MEMBER = "data_pkg/model.gguf"
WHEEL_NAME = "data_pkg-1.2-py3-none-any.whl"


@dataclass
class Request:
    """What the server was asked."""

    path: str
    headers: dict[str, str]


@dataclass
class Page:
    """What the server has at a path.

    Attributes:
        content: the body.
        kind: the content type.
        etag: sent with it, if any.
        ranges: whether a Range is honoured.
        drop_after: bytes of the body after which the connection is cut, per request; used up one by one.
        user: "name:password" that is asked for.
        status: the answer's status.
        location: where a redirect leads.
        hold: the body's second half is sent when this is set.
    """

    content: bytes = b""
    kind: str = "application/octet-stream"
    etag: str = ""
    ranges: bool = True
    drop_after: list[int] = field(default_factory=list[int])
    user: str = ""
    status: int = 200
    location: str = ""
    hold: threading.Event | None = None


class Site:
    """The server; a context manager. `pages` may be changed at any time."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.half_sent = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for page in self.pages.values():
            if page.hold:
                page.hold.set()
        self._server.shutdown()
        self._thread.join(PATIENCE_S)
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, path: str, *, host: str = "127.0.0.1", user: str = "") -> str:
        """Return the address of a path."""
        return f"http://{user + '@' if user else ''}{host}:{self.port}{path}"

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path."""
        return [request for request in self.requests if request.path == path]

    def offer_wheel(self, wheel: bytes, *, as_html: bool = False, digest: str | None = None) -> Page:
        """Serve a wheel and the index page that leads to it.

        Returns:
            The wheel's page.
        """
        digest = hashlib.sha256(wheel).hexdigest() if digest is None else digest
        if as_html:
            fragment = f"#sha256={digest}" if digest else ""
            anchor = (
                f'<!DOCTYPE html><html><body><a href="../../files/{WHEEL_NAME}{fragment}">x</a></body></html>'
            )
            self.pages["/simple/data-pkg/"] = Page(anchor.encode(), "text/html; charset=utf-8")
        else:
            file: dict[str, Any] = {"filename": WHEEL_NAME, "url": f"../../files/{WHEEL_NAME}", "hashes": {}}
            if digest:
                file |= {"hashes": {"sha256": digest}, "size": len(wheel)}
            body = {"meta": {"api-version": "1.1"}, "name": "data-pkg", "files": [file]}
            self.pages["/simple/data-pkg/"] = Page(
                json.dumps(body).encode(), "application/vnd.pypi.simple.v1+json"
            )
        page = self.pages[f"/files/{WHEEL_NAME}"] = Page(wheel)
        return page

    def settings(self, **changes: Any) -> IndexSettings:
        """Return settings with this server as the only index."""
        values: dict[str, Any] = {"indexes": (self.url("/simple"),)}
        return IndexSettings(**(values | changes))


def wheel_with(content: bytes = CONTENT, member: str = MEMBER) -> bytes:
    """Build a wheel that holds one data file; the same bytes every time, whatever the clock says."""
    box = io.BytesIO()
    metadata = "Metadata-Version: 2.1\nName: data-pkg\nVersion: 1.2\n"
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in ((member, content), ("data_pkg-1.2.dist-info/METADATA", metadata.encode())):
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return box.getvalue()


def spec_for(*sources: str, content: bytes = CONTENT, size: int | None = len(CONTENT)) -> AssetSpec:
    """Declare a file with this content."""
    return AssetSpec(
        name="model",
        file="model.gguf",
        sha256=hashlib.sha256(content).hexdigest(),
        size=size,
        sources=list(sources) or [f"pypi:data-pkg==1.2/{MEMBER}"],
    )


class Recorder(SilentProgress):
    """Remembers what `fetch` told, and may raise after some bytes.

    Attributes:
        starts: (size, bytes at hand) of each transfer.
        notes: sentences.
        ended: "finished" or "interrupted", in order.
    """

    def __init__(self, on_bytes: Callable[[int], None] | None = None) -> None:
        self.starts: list[tuple[int | None, int]] = []
        self.notes: list[str] = []
        self.ended: list[str] = []
        self.bytes = 0
        self._on_bytes = on_bytes

    def started(self, label: str, total: int | None, done: int) -> None:
        """Remember the transfer."""
        self.starts.append((total, done))

    def advanced(self, count: int) -> None:
        """Count."""
        self.bytes += count
        if self._on_bytes:
            self._on_bytes(self.bytes)

    def finished(self) -> None:
        """Remember the end."""
        self.ended.append("finished")

    def interrupted(self) -> None:
        """Remember the end."""
        self.ended.append("interrupted")

    def note(self, text: str) -> None:
        """Remember the sentence."""
        self.notes.append(text)


class _Handler(BaseHTTPRequestHandler):
    """Answers for a site, which is an attribute of its subclass."""

    site: Site

    def do_GET(self) -> None:
        """Answer, if the other side is still there."""
        path = self.path
        if path.startswith("http://"):  # asked as a proxy
            path = "/" + path.split("/", 3)[3]
        self.site.requests.append(Request(path, dict(self.headers)))
        with suppress(OSError):  # the other side left, as some tests want it
            self._answer(self.site.pages.get(path))

    def _answer(self, page: Page | None) -> None:
        if page is None:
            self.send_error(404)
        elif page.user and not self._is_let_in(page.user):
            self.send_error(401)
        elif page.location:
            self.send_response(302)
            self.send_header("Location", page.location)
            self.end_headers()
        elif page.status != 200:
            status, page.status = page.status, 200
            self.send_error(status)
        else:
            self._send(page)

    def _is_let_in(self, user: str) -> bool:
        token = base64.b64encode(user.encode()).decode()
        return self.headers.get("Authorization") == f"Basic {token}"

    def _send(self, page: Page) -> None:
        start, size = self._start(page), len(page.content)
        if start and start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(size - start))
        if page.etag:
            self.send_header("ETag", page.etag)
        self.end_headers()
        self._send_body(page, page.content[start:])

    def _start(self, page: Page) -> int:
        wanted = self.headers.get("Range", "")
        is_same = self.headers.get("If-Range", page.etag) == page.etag
        if not (wanted and page.ranges and is_same):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _send_body(self, page: Page, body: bytes) -> None:
        if page.drop_after:
            self.wfile.write(body[: page.drop_after.pop(0)])
            return
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if page.hold is not None:
            self.site.half_sent.set()
            page.hold.wait(PATIENCE_S)
        self.wfile.write(body[half:])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""
