"""What the kernel's own store takes to keep one batch of an answer, committed.

python -m cellbench.probes.store_append COUNT
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cellbench.probes.trips import Trips, print_figures
from cellwall_kernel.paths import Paths
from cellwall_kernel.store import Outcome, PromptRow, Store
from cellwall_wire import Delta, Message, PartStart, TextPart

__all__: list[str] = []


def _main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(Paths(Path(folder))) as store:
        asked = [Message(role="user", parts=[TextPart(text="hi")])]
        response_id = store.begin(PromptRow(model="echo", plugin="echo", messages=asked))
        store.append(response_id, [PartStart(0, "text")])
        trips = Trips(count)
        for _ in trips:
            store.append(response_id, [Delta(0, "word " * 8)])
        store.finish(response_id, Outcome(status="done"))
    print_figures(trips.figures())


if __name__ == "__main__":
    _main(int(sys.argv[1]))
