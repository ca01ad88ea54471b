"""What plugins do all day works inside the wall; a wall that stops it would be switched off."""

from __future__ import annotations

import ssl
import sysconfig
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import anyio
import msgspec
import pytest
import trustme

from cellwall_kernel.discovery import discover
from cellwall_kernel.grants import accept
from cellwall_kernel.permissions import Permissions
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta
from tests.children.kit import environment_of, install, prompt
from tests.escapes.controls import CONTROLS, NETWORK

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import Session

pytestmark = pytest.mark.usefixtures("both_walls")

PATIENCE_S = 50.0

CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""The variables by which clients are told of a private certificate authority."""


class Hello(BaseHTTPRequestHandler):
    """Says hello, and how much it was sent; keeps connections."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Say hello."""
        self.answer(b"hello")

    def do_POST(self) -> None:
        """Tell how much came."""
        self.answer(str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode())

    def answer(self, text: bytes) -> None:
        """Answer with a text."""
        self.asked.append(self.command)
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        """Be quiet."""


class Server(ThreadingHTTPServer):
    """Serves until told otherwise; a client that leaves early is its own business."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Be quiet."""


@contextmanager
def tls_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[int]:
    """Serve with a certificate of an authority of our own, which variables name; gives the port."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    for name in CERTIFICATES:
        monkeypatch.setenv(name, str(folder / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = folder / "certificate.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    context.load_cert_chain(certificate)
    with Server(("127.0.0.1", 0), Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def record(site: Path) -> PluginRecord:
    """The plugin of the controls, with the libraries that the tests are run with."""
    source = Path(__file__).with_name("controls.py").read_text("utf-8")
    install(site, "llm-controls", {"llm_controls.py": source}, points={"controls": "llm_controls"})
    (found,) = discover(environment_of(site))
    libraries = ("site", sysconfig.get_path("purelib"))
    return msgspec.structs.replace(found, folders=(*found.folders, libraries))


def in_a_cell(record: PluginRecord, paths: Paths, prompts: list[str]) -> dict[str, str]:
    """Start the plugin and return the answer to each prompt."""

    async def scene() -> dict[str, str]:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths) as supervisor:
                session = await supervisor.start(record)
                return {text: await answer(session, text) for text in prompts}

    return anyio.run(scene)


async def answer(session: Session, text: str) -> str:
    """Prompt and return the whole answer."""
    found: list[str] = []
    async with session.open("model/prompt", prompt(text), deadline=Deadline(total_s=PATIENCE_S)) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return "".join(found)


def test_the_usual_libraries_work_without_any_grant(record: PluginRecord, paths: Paths) -> None:
    """Numbers, models, databases, threads, files and clocks need nothing from outside (sandbox.md §2)."""
    answers = in_a_cell(record, paths, list(CONTROLS))

    assert {name: text for name, text in answers.items() if text != "ok"} == {}
    assert len(answers) == len(CONTROLS)


@pytest.mark.parametrize("is_listed", [True, False], ids=["a listed host", "any host"])
def test_the_usual_clients_reach_a_granted_host(
    is_listed: bool,
    record: PluginRecord,
    paths: Paths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its name through the host's proxy, or directly; the certificates are those that were granted."""
    with tls_server(tmp_path, monkeypatch) as port:
        listed = Permissions(network=(f"localhost:{port}",), env=CERTIFICATES)
        accept(paths, record, listed if is_listed else Permissions(network="any", env=CERTIFICATES))

        answers = in_a_cell(record, paths, [f"{name} https://localhost:{port}/" for name in NETWORK])

    assert {name: text for name, text in answers.items() if text != "ok"} == {}
    assert len(answers) == len(NETWORK)


def test_the_same_clients_reach_nothing_without_a_grant(
    record: PluginRecord, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The opposite of the test above, without which it would prove nothing (sandbox.md §10)."""
    with tls_server(tmp_path, monkeypatch) as port:
        before = len(Hello.asked)
        answers = in_a_cell(record, paths, [f"{name} https://localhost:{port}/" for name in NETWORK])

        assert len(Hello.asked) == before
    assert "ok" not in answers.values()
