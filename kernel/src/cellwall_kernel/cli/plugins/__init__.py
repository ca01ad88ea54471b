"""`llm plugins`: what is installed, in which state, and how to begin a plugin of one's own."""

from __future__ import annotations

from cellwall_kernel.cli._lazy import LazyCommand, LazyGroup

__all__ = ["plugins"]

plugins = LazyGroup(
    name="plugins",
    help="List, inspect and create plugins.",
    default="list",
    table={
        "list": LazyCommand("cellwall_kernel.cli.plugins.list:list_plugins", "List the installed plugins."),
        "show": LazyCommand("cellwall_kernel.cli.plugins.show:show", "Show everything about one plugin."),
        "new": LazyCommand("cellwall_kernel.cli.plugins.new:new", "Write a new plugin to begin with."),
    },
)
