"""One child process: started, read, written, listened to and stopped; what the bytes mean is for `session`.

    _spawn     starting it, before or inside an event loop
    _greeting  the first line, which needs none either
    child      reading, writing, its end, and the ladder that ends it
    _stderr    what it prints: the last part in memory, a bounded file for people

`child` alone needs an event loop; everything here can be had before anyio is imported.

The child that we start is the keeper of `bootstrap.py`: when it has ended, so has everything that the plugin
started.
"""

from __future__ import annotations

from cellwall_kernel.process._greeting import INITIALIZE_S, Greeting, compose, unsendable
from cellwall_kernel.process._spawn import Exit, Spawned, spawn
from cellwall_kernel.process._stderr import StderrLog

__all__ = ["INITIALIZE_S", "Exit", "Greeting", "Spawned", "StderrLog", "compose", "spawn", "unsendable"]
