"""Libraries that plugins use find the proxy by their own means and work through it, over TLS."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.wall import proxy_variables
from tests.kernel.network.origin import Origin
from tests.kernel.network.scene import proxied

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.anyio

CLIENTS = {
    "httpx": "import httpx; print(httpx.post(url, content=b'body', verify=trust).text)",
    "httpx, async": (
        "import asyncio, httpx\n"
        "async def main():\n"
        "    async with httpx.AsyncClient(verify=trust) as client:\n"
        "        answers = await asyncio.gather(*(client.post(url, content=b'body') for _ in range(20)))\n"
        "        texts = {answer.text for answer in answers}; assert len(texts) == 1, texts\n"
        "        print(answers[0].text)\n"
        "asyncio.run(main())"
    ),
    "requests": "import requests; print(requests.post(url, data=b'body').text)",
    "aiohttp": (
        "import aiohttp, asyncio\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession(trust_env=True) as client:\n"
        "        async with client.post(url, data=b'body', ssl=trust if tls else True) as answer:\n"
        "            print(await answer.text())\n"
        "asyncio.run(main())"
    ),
    "urllib": "import urllib.request as r; print(r.urlopen(url, b'body').read().decode())",
    "urllib3": (
        "import os, urllib3\n"
        "pool = urllib3.ProxyManager(os.environ['HTTPS_PROXY'], ssl_context=trust)\n"
        "print(pool.request('POST', url, body=b'body').data.decode())"
    ),
}
"""What each prints is the answer's text; `url`, `tls` and `trust` are defined before."""

PREFACE = (
    "import os, ssl, sys\n"
    "url, tls = sys.argv[1], sys.argv[1].startswith('https:')\n"
    "trust = ssl.create_default_context(cafile=os.environ.get('SSL_CERT_FILE'))\n"
)


async def run(client: str, url: str, environ: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """Run a client in a process of its own; return what it printed and the last line of its complaint."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **environ}
    argv = [sys.executable, "-c", PREFACE + CLIENTS[client], url]
    done = await anyio.run_process(argv, env=environ, check=False, stderr=subprocess.PIPE, cwd=folder)
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_library_works_through_the_proxy(client: str, scheme: str, tmp_path: Path) -> None:
    """sandbox.md §5: httpx sync and async, requests, urllib; aiohttp with trust_env=True."""
    with Origin(*(["localhost"] if scheme == "https" else [])) as origin:
        trust = origin.write_authority(tmp_path / "ca.pem")
        async with proxied(f"localhost:{origin.port}") as scene:
            variables = proxy_variables(scene.port) | {"SSL_CERT_FILE": trust, "REQUESTS_CA_BUNDLE": trust}
            printed, complaint = await run(
                client, f"{scheme}://localhost:{origin.port}/a?b", variables, tmp_path
            )

            assert "POST /a?b body" == printed.strip(), complaint
            assert ("POST", "/a?b", b"body") == origin.asked[0]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_library_reports_a_refusal(client: str, tmp_path: Path) -> None:
    """sandbox.md §12: the user is told how to allow it, whatever the library makes of the answer."""
    async with proxied() as scene:
        printed, complaint = await run(client, "https://api.example/", proxy_variables(scene.port), tmp_path)

        assert "" == printed
        assert "403" in complaint
        assert ["network=api.example"] == [refusal.grant for refusal in scene.refusals]


async def test_a_client_that_asks_for_another_name_inside_is_stopped(tmp_path: Path) -> None:
    """sandbox.md §5: compare SNI with the CONNECT name; real TLS reports the alert."""
    code = (
        "import os, socket, ssl, sys\n"
        "port = sys.argv[1]\n"
        "raw = socket.create_connection(('127.0.0.1', int(os.environ['HTTPS_PROXY'].rpartition(':')[2])))\n"
        "raw.sendall(f'CONNECT localhost:{port} HTTP/1.1\\r\\n\\r\\n'.encode())\n"
        "print(raw.recv(1000).split(b' ')[1].decode())\n"
        "context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])\n"
        "context.wrap_socket(raw, server_hostname='evil.example')\n"
    )
    with Origin("localhost", "evil.example") as origin:
        trust = origin.write_authority(tmp_path / "ca.pem")
        async with proxied(f"localhost:{origin.port}") as scene:
            variables = proxy_variables(scene.port) | {"SSL_CERT_FILE": trust}
            argv = [sys.executable, "-c", code, str(origin.port)]
            done = await anyio.run_process(argv, env=variables, check=False)

            assert "200" == done.stdout.decode().strip()
            assert "UNRECOGNIZED_NAME" in done.stderr.decode()
            assert "to ask there for evil.example" in scene.told[0]
