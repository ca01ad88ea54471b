"""One child process: started, read, written, listened to and stopped; what the bytes mean is for `session`.

    _spawn     starting it, before or inside an event loop
    _greeting  the first line, which needs none either
    child      reading, writing, its end, and the ladder that ends it
    _stderr    what it prints: the last part in memory, a bounded file for people
    guards     what it uses: the processes below it (_tree), its own folders (_folders), in words (_excess)
    attached   a plugin that somebody else has started: connected to instead of spawned

`child`, `attached` and `guards` alone need an event loop; everything here can be had before anyio is
imported.

The child that we start is the keeper of `bootstrap.py`: when it has ended, so has everything that the plugin
started.
"""

from __future__ import annotations

from cellwall_kernel.process._excess import Excess, Limit, remedy, size_words
from cellwall_kernel.process._folders import refuse_full_folders
from cellwall_kernel.process._greeting import INITIALIZE_S, Greeting, compose, unsendable
from cellwall_kernel.process._spawn import Exit, Spawned, spawn
from cellwall_kernel.process._stderr import StderrLog

__all__ = [
    "INITIALIZE_S",
    "Excess",
    "Exit",
    "Greeting",
    "Limit",
    "Spawned",
    "StderrLog",
    "compose",
    "refuse_full_folders",
    "remedy",
    "size_words",
    "spawn",
    "unsendable",
]
