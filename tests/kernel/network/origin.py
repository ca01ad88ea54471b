"""Web servers as they are: Python's own, with and without TLS, and a certificate made for the test."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Origin"]

PATIENCE_S = 15.0


class Origin:
    """A web server on 127.0.0.1 that answers with what it was asked; a context manager.

    Args:
        names: what its certificate is for; none for plain HTTP.
    """

    def __init__(self, *names: str) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        handler = type("Handler", (_Handler,), {"origin": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._authority = trustme.CA()
        if names:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(*names).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # it also takes a class of pyOpenSSL
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def write_authority(self, path: Path) -> str:
        """Write the certificate that a client must trust."""
        self._authority.cert_pem.write_to_path(str(path))
        return str(path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE_S)
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # five, as by default, would reset connections when many come at once


class _Handler(BaseHTTPRequestHandler):
    origin: Origin
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.origin.asked.append((self.command, self.path, body))
        answer = f"{self.command} {self.path} {body.decode()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""
