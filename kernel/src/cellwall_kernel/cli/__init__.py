"""The command line. One command, one file: `llm plugins show` is in `plugins/show.py`.

This file is what the `llm` script imports, so it imports next to nothing: `_root` holds the group and loads
click, each command's module is loaded when the command is used, and what is heavy (anyio, sqlite3,
subprocess) is imported inside the functions that need it.
"""

from __future__ import annotations

import os
import sys

from cellwall_kernel.cli._streams import open_standard_streams

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process.

    Returns:
        The exit code: 0, 2 for a wrong command line, else the one that belongs to the error (see
        `cellwall_kernel.errors`).
    """
    open_standard_streams()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # nothing to parse, so click need not be loaded
        from cellwall_kernel.version import VERSION

        sys.stdout.write(f"llm, version {VERSION} (Cellwall)\n")
        return 0
    from cellwall_kernel.cli._root import run

    code = run(arguments)
    if "asyncio" in sys.modules:
        leave(code)
    return code


def leave(code: int) -> None:
    """End this process without dismantling an event loop's hundreds of modules, which would take some 20 ms.

    Nothing is left to do by then: the log is closed, the plugins have ended, and `run` has flushed stdout.
    """
    sys.stderr.flush()
    os._exit(code)
