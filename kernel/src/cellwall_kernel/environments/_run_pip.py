"""Run pip inside a new, empty environment so that nothing but pip can run.

Started by path with the environment's own interpreter (`ENV/bin/python -I _run_pip.py SOURCE ARGUMENTS…`,
where SOURCE is a folder or an archive with the package `pip`), once, while nothing is installed. Two things
make it safe to let pip unpack a stranger's wheels here:

- the environment's site folder is taken off the search path, so that what pip has just unpacked can never be
  imported by pip itself;
- programs are refused. Unpacking a wheel starts none, while every build of sources does, also the builds that
  `--only-binary` does not prevent: a wheel may depend on an archive of sources by its address.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

REFUSED = "only wheels are installed, and building sources was refused"
"""What `_words` looks for in the log."""

STARTS = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
HARMLESS = {"keyring"}  # pip asks it for passwords of indexes, if its user says so


class PipFinder:
    """Finds the package `pip` at its source and nothing else there.

    Args:
        source: a folder or an archive.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the package; its modules are found through it."""
        del path
        return PathFinder.find_spec(name, [self.source], target) if name == "pip" else None


def refuse_programs(event: str, arguments: tuple[object, ...]) -> None:
    """Raise where a program would be started."""
    if event.startswith(STARTS):
        program = os.path.basename(str(arguments[0])) if arguments else ""  # noqa: PTH119 - a name
        if program not in HARMLESS:
            raise PermissionError(f"{REFUSED} ({event} {program})")


def main(arguments: list[str]) -> None:
    """Run pip as the main program."""
    source, words = arguments[0], arguments[1:]
    sys.path[:] = [path for path in sys.path if not path.startswith(sys.prefix + os.sep)]
    sys.meta_path.insert(0, PipFinder(source))
    sys.argv = ["pip", *words]
    sys.addaudithook(refuse_programs)
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
