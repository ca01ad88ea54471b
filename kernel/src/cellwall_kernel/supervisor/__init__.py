"""Running plugins: each is started when it is needed, shared by those who call it, and stopped.

Plugins are started on demand and only then; whoever leaves the supervisor's `async with` block leaves no
process behind. `spawn_plugin` needs no event loop: a command that knows which plugin it will need starts it
first and imports anyio while that begins to run.

    _spawning     starting a process
    _supervisor   owns the sessions: start, describe, call, stop
    _pool         one session for each plugin, reused by calls, stopped when idle
    _waits        who may run now, who waits, and who would wait for itself
    holds         plugins that asked not to be stopped: told to other commands, which may end that
"""

from __future__ import annotations

from cellwall_kernel.supervisor._spawning import spawn_plugin
from cellwall_kernel.supervisor._supervisor import Supervisor

__all__ = ["Supervisor", "spawn_plugin"]
