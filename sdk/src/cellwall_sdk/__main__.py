"""`python -m cellwall_sdk MODULE[:ATTRIBUTE]`: run a plugin on standard input and output.

`python -m cellwall_sdk --attach [MODULE[:ATTRIBUTE]]` runs it on a socket instead; see `_attach`.

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

LONGEST_LINE = 2
"""`--attach` and a module (words)."""

_USAGE = """\
usage: python -m cellwall_sdk MODULE[:ATTRIBUTE]
       python -m cellwall_sdk --attach [MODULE[:ATTRIBUTE]]

Runs a Cellwall plugin as a child process that speaks JSON-RPC, one object a line, on standard input and
output.

With --attach it waits on a socket for `llm --attach …`, which it prints, so that standard input and output
are free for a debugger: python -m pdb -m cellwall_sdk -- --attach. Without a module it is the plugin of
the project in the working folder.
"""


def main() -> int:
    """Run the plugin that the command line names.

    Returns:
        the exit code.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:  # without it, pdb of Python 3.13.0 takes our options for its own
        del arguments[0]
    if arguments[:1] == ["--attach"] and len(arguments) <= LONGEST_LINE:
        target = arguments[1] if len(arguments) == LONGEST_LINE else None
        if target is None or not target.startswith("-"):
            return wait_for_hosts(target)
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


def wait_for_hosts(target: str | None) -> int:
    """Be a plugin to which hosts attach.

    Args:
        target: as on the command line; None for the project in the working folder.

    Returns:
        the exit code.
    """
    from ._attach import AttachProblem, find_plugin, serve_attached

    try:
        serve_attached(*find_plugin(target))
    except AttachProblem as problem:
        sys.stderr.write(f"Error: {problem}\n")
        return 2
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
