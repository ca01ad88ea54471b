"""What this machine can enforce, as the kernel found out; 1 and 0 stand for yes and no.

python -m cellbench.probes.mechanisms
"""

from __future__ import annotations

from cellbench.probes.trips import print_figures
from cellwall_kernel.paths import Paths
from cellwall_kernel.wall import Mechanisms

__all__: list[str] = []


def _main() -> None:
    found = Mechanisms.detect(Paths.from_environment())
    print_figures(
        {
            "landlock": found.landlock,
            "seccomp": int(found.seccomp is not None),
            "asks": int(found.asks),
            "bubblewrap": int(found.bubblewrap is not None),
        }
    )


if __name__ == "__main__":
    _main()
