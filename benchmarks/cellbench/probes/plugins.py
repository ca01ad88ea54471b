"""Finds a plugin of the environment that a probe runs in."""

from __future__ import annotations

from cellwall_kernel.discovery import Environment, PluginRecord, discover

__all__ = ["find_plugin"]


def find_plugin(name: str) -> PluginRecord:
    """Return the installed plugin of that name, or end the probe with a sentence."""
    for record in discover(Environment.current()):
        if record.name == name:
            return record
    raise SystemExit(f"no plugin '{name}' is installed in this environment")
