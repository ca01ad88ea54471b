"""`python -m cellwall_sdk MODULE[:ATTRIBUTE]`: run a plugin on standard input and output.

For people and tests: Cellwall itself starts a plugin through its own bootstrap, which moves the wire away
before `site` runs. Here that happens a little later, so that `.pth` files could disturb it.
"""

from __future__ import annotations

import fcntl
import os
import sys

__all__ = ["main"]

LOWEST_FD = 3
"""The wire lives above the standard descriptors, which belong to the plugin."""

_USAGE = """\
usage: python -m cellwall_sdk MODULE[:ATTRIBUTE]

Runs a Cellwall plugin as a child process that speaks JSON-RPC, one object a line, on standard input and
output.
"""


def main() -> int:
    """Run the plugin that the command line names.

    Returns:
        the exit code.
    """
    arguments = sys.argv[1:]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        asked = arguments in (["-h"], ["--help"])
        (sys.stdout if asked else sys.stderr).write(_USAGE)
        return 0 if asked else 2
    target = arguments[0]
    if sys.stdin is None or sys.stdout is None or os.isatty(0):
        module = target.partition(":")[0]
        sys.stderr.write(
            f"{module} is a plugin for Cellwall, which starts it and talks to it in JSON: there is nothing "
            "to type here. Install it, see it in `llm plugins list`, and ask it with `llm -m MODEL PROMPT`.\n"
        )
        return 2
    read_fd, write_fd = claim_wire()
    from ._child import run

    run(target, read_fd, write_fd)
    return 0


def claim_wire() -> tuple[int, int]:
    """Move standard input and output away, so that nothing a plugin reads or prints touches the wire.

    Returns:
        the descriptors to read from and to write to; neither is inherited by the plugin's own children.
    """
    sys.stdout.flush()
    read_fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD)
    write_fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return read_fd, write_fd


if __name__ == "__main__":
    sys.exit(main())
