"""Nothing in a clone tells where it was written: no path, host or index of a developer's machine."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.house.checkout import ROOT, files

# Who may be named in an address. `.example`, `.invalid` and `.test` are reserved for examples and tests.
HOSTS = {
    "127.0.0.1",
    "datasette.io",
    "github.com",
    "json-schema.org",
    "llm.datasette.io",
    "localhost",
    "pypi.org",  # the index that pip uses by default, and so do we when nothing else is configured
    "www.apache.org",
}
RESERVED = (".example", ".invalid", ".test", ".localhost", "example.com", "example.org")

SHORTEST_TELLING_NAME = 6  # characters; a machine called "box" would match half the prose


def readable(path: Path) -> str:
    """Read a file as text; what is not text reads as empty."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def traces_of_this_machine() -> list[str]:
    """List what only this machine would write: its folders, its interpreter, its name."""
    places = [str(ROOT), sys.prefix, sys.base_prefix, f"{Path.home()}/"]
    name = socket.gethostname()
    telling = [place for place in places if place not in ("/usr", "/usr/local", "/")]
    return [*telling, name] if len(name) >= SHORTEST_TELLING_NAME and name != "localhost" else telling


@pytest.mark.parametrize("trace", traces_of_this_machine())
def test_no_file_names_this_machine(trace: str) -> None:
    """A path that works here only is a mistake waiting for somebody else."""
    assert [str(path.relative_to(ROOT)) for path in files() if trace in readable(path)] == []


def test_no_file_names_somebodys_home() -> None:
    """Even of a machine that is not this one."""
    home = re.compile(r"(?<![\w/.$}])/(?:home|Users)/(?!(?:ada|me|user|you)\b)\w+/")

    assert {str(path.relative_to(ROOT)) for path in files() if home.search(readable(path))} == set()


def test_every_address_is_a_public_one_that_we_mean() -> None:
    """A closed list of hosts keeps mirrors, proxies and internal names out."""
    unknown: dict[str, set[str]] = {}
    for path in files():
        for address in re.findall(r"https?://[^\s\"'`<>)\]}]+", readable(path)):
            host = hostname(address)
            if host and host not in HOSTS and not host.endswith(RESERVED):
                unknown.setdefault(host, set()).add(str(path.relative_to(ROOT)))

    assert unknown == {}


def hostname(address: str) -> str:
    """Give the host of an address; empty if it has none, as in a template."""
    try:
        host = urlsplit(address.rstrip(".,;:")).hostname or ""
    except ValueError:
        return ""
    return host if "." in host or host == "localhost" else ""
