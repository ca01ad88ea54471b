"""Playing a recorded conversation again: the host's side comes from a trace, the plugin is the real one.

    _record    a trace, read
    _compare   what a plugin says now, held against what it said then
    _replay    one process: told what it was told, and heard
    _start     the plugin, started for that behind its wall

Whether the plugin is found, and which keys it may have, is for who calls this.
"""

from __future__ import annotations

from cellwall_kernel.replaying._record import Recorded, read_trace
from cellwall_kernel.replaying._start import replay

__all__ = ["Recorded", "read_trace", "replay"]
