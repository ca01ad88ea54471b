"""The floor of keeping text while it arrives: one row and one commit into a bare SQLite file.

python -m cellbench.probes.bare_append COUNT
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

from cellbench.probes.trips import Trips, print_figures

__all__: list[str] = []


def _main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(
            "CREATE TABLE chunks(answer INTEGER, number INTEGER, text TEXT, PRIMARY KEY(answer, number))"
        )
        trips = Trips(count)
        for number, _ in enumerate(trips):
            database.execute("INSERT INTO chunks VALUES (1, ?, ?)", (number, "word " * 8))
        database.close()
    print_figures(trips.figures())


if __name__ == "__main__":
    _main(int(sys.argv[1]))
