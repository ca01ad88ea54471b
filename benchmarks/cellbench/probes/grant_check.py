"""The look that every launch takes at a plugin's files, or its floor: `stat` of the same files and no more.

    python -m cellbench.probes.grant_check FILES COUNT ours|bare

The files lie in an environment of the plugin's own, forty to a folder; nothing has changed since the grant.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from cellbench.probes.trips import Trips, print_figures
from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.grants import accept, valid_grant
from cellwall_kernel.paths import Paths
from cellwall_kernel.permissions import Permissions

__all__: list[str] = []

_FILES_IN_A_FOLDER = 40


def _main(files: int, count: int, *, is_bare: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths, root = Paths(Path(folder, "home")), Path(folder, "environment")
        _fill(root, files)
        record = PluginRecord(
            name="many", dist="many", version="1", target="many", location=str(root), python=sys.executable,
            environment=str(root), key="",
        )  # fmt: skip
        accept(paths, record, Permissions(network=("api.example.com:443",)))
        trips = Trips(count)
        for _ in trips:
            if is_bare:
                _look(str(root))
            else:
                valid_grant(paths, record)
    print_figures(trips.figures())


def _fill(root: Path, files: int) -> None:
    for number in range(files):
        folder = root / f"package{number // _FILES_IN_A_FOLDER}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"module{number}.py").write_text(f"number = {number}\n")


def _look(root: str) -> int:
    with os.scandir(root) as entries:
        found = list(entries)
    return sum(_look(entry.path) if entry.is_dir() else os.stat(entry.path).st_size for entry in found)  # noqa: PTH116 - the floor


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), is_bare=sys.argv[3] == "bare")
