"""How a child is started: its argument list, its environment and its folder, as pure functions.

Nothing is inherited by accident: the environment is built from an allowlist, and what the interpreter is told
(`-I -S`) keeps PYTHON* variables, the working folder and user site folders from adding code before
`bootstrap.py` has run.
"""

# ruff: noqa: PTH100, PTH118, PTH120 - paths are texts in an argument list

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.discovery import Environment, PluginRecord

__all__ = ["BOOTSTRAP", "Launch", "child_environment", "plan"]

BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")
"""The file that every child runs first."""

ALLOWED_VARIABLES = frozenset(
    {
        # Finding programs, and an interpreter whose own library is not in a standard place.
        "PATH",
        "LD_LIBRARY_PATH",
        # How text, dates and terminals look.
        "LANG",
        "LANGUAGE",
        "TZ",
        "TERM",
        "NO_COLOR",
        # Reaching the network from behind a proxy or with a private certificate authority.
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    }
)
"""What a plugin sees of the caller's environment, beside LC_*; keys come over the protocol."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the system needs to know to start one child.

    Args:
        plugin: the plugin's name, for messages.
        argv: the program and its arguments.
        env: the whole environment.
        cwd: the working folder, which exists.
    """

    plugin: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str


def plan(
    record: PluginRecord,
    environment: Environment,
    *,
    data: str,
    tmp: str,
    environ: Mapping[str, str] | None = None,
) -> Launch:
    """Work out how to start a plugin's child; the calling process must be the one that starts it.

    Args:
        record: the plugin.
        environment: the environment that it was found in.
        data: its own folder: HOME and the working folder.
        tmp: its folder for temporary files.
        environ: the variables to choose from; by default this process's.
    """
    folders = [f"{kind}={folder}" for kind, folder in environment.folders]
    argv = (
        record.python,
        *("-I", "-S", "-X", "utf8", BOOTSTRAP),
        f"host={os.getpid()}",
        f"target={record.target}",
        *folders,
    )
    env = child_environment(os.environ if environ is None else environ, home=data, tmp=tmp)
    return Launch(plugin=record.name, argv=argv, env=env, cwd=data)


def child_environment(environ: Mapping[str, str], *, home: str, tmp: str) -> dict[str, str]:
    """Build a child's environment: what is allowed of `environ`, and folders of the plugin's own."""
    chosen = {
        name: value for name, value in environ.items() if name in ALLOWED_VARIABLES or name.startswith("LC_")
    }
    return {**chosen, "HOME": home, "TMPDIR": tmp}
