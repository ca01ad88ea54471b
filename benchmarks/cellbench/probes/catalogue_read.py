"""Reading the catalogue from its file, and finding a model in it, as every prompt does.

python -m cellbench.probes.catalogue_read MODEL COUNT
"""

from __future__ import annotations

import sys

from cellbench.probes.trips import Trips, print_figures
from cellwall_kernel.catalogue import Catalogue
from cellwall_kernel.paths import Paths

__all__: list[str] = []


def _main(model: str, count: int) -> None:
    paths = Paths.from_environment()
    trips = Trips(count)
    for _ in trips:
        Catalogue.load(paths).find_model(model)
    print_figures(trips.figures())


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
