"""`llm plugins`: what is installed, in which state, what it may do, and how to begin one of one's own."""

from __future__ import annotations

from cellwall_kernel.cli._lazy import LazyCommand, LazyGroup

__all__ = ["plugins"]

plugins = LazyGroup(
    name="plugins",
    help="List, inspect, trust and create plugins.",
    default="list",
    table={
        "list": LazyCommand("cellwall_kernel.cli.plugins.list:list_plugins", "List the installed plugins."),
        "show": LazyCommand("cellwall_kernel.cli.plugins.show:show", "Show everything about one plugin."),
        "grant": LazyCommand("cellwall_kernel.cli.plugins.grant:grant", "Allow a plugin something."),
        "revoke": LazyCommand("cellwall_kernel.cli.plugins.revoke:revoke", "Take back what it was granted."),
        "verify": LazyCommand(
            "cellwall_kernel.cli.plugins.verify:verify", "Say whether the files of plugins are the same."
        ),
        "replay": LazyCommand(
            "cellwall_kernel.cli.plugins.replay:replay", "Play a trace again and compare the answers."
        ),
        "check": LazyCommand(
            "cellwall_kernel.cli.plugins.check:check", "Try whether a plugin speaks the protocol."
        ),
        "timeouts": LazyCommand(
            "cellwall_kernel.cli.plugins.timeouts:timeouts", "Show or set how long plugins are waited for."
        ),
        "disable": LazyCommand("cellwall_kernel.cli.plugins.enable:disable", "Leave a plugin out."),
        "enable": LazyCommand("cellwall_kernel.cli.plugins.enable:enable", "Let a plugin take part again."),
        "release": LazyCommand(
            "cellwall_kernel.cli.plugins.release:release", "End the hold of a plugin that asked to be kept."
        ),
        "new": LazyCommand("cellwall_kernel.cli.plugins.new:new", "Write a new plugin to begin with."),
    },
)
