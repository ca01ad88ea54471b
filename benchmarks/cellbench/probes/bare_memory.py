"""What an interpreter that does nothing keeps resident: the floor of a Python cell.

python -m cellbench.probes.bare_memory
"""

from __future__ import annotations

import subprocess
import sys

from cellbench.probes.trips import print_figures
from cellbench.procfs import rollup_bytes

__all__: list[str] = []

_CHILD = "import sys; print(flush=True); sys.stdin.read()"


def _main() -> None:
    argv = [sys.executable, "-I", "-c", _CHILD]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        sums = rollup_bytes(child.pid)
        assert child.stdin is not None
        child.stdin.close()
    print_figures({"resident_bytes": sums["Rss"], "pss_bytes": sums["Pss"]})


if __name__ == "__main__":
    _main()
