"""Become another program that ends when the process which asked for it does.

Run by path (`python -I -S _follow.py PARENT PROGRAM ARGUMENTS…`), with the standard library only. Without it,
an installer would go on writing into a folder that the next installation removes.
"""

from __future__ import annotations

import os
import signal
import sys

EXIT_ORPHAN = 96
EXIT_NOT_FOUND = 127
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask for the signal, then become the program; does not return."""
    parent, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(EXIT_ORPHAN)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)  # noqa: S606 - the words are ours, and no shell is involved
    except OSError as error:
        sys.stderr.write(f"ERROR: {program[0]} cannot be started: {error.strerror}\n")
        os._exit(EXIT_NOT_FOUND)


if __name__ == "__main__":
    main(sys.argv[1:])
