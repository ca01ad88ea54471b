"""Discovery: which plugins are installed, from the files that installers leave; no plugin is imported.

A plugin is an entry point of the group `llm`. `scan()` reads the environment and says what it depended on, so
that the next command can tell by a few `stat` calls that nothing has changed. What a plugin offers is asked
by `catalogue`.

    _records   Environment, PluginRecord, Stamp: the types, loaded by every command
    _scan      from folders to records
    _dists     one distribution's metadata: name, version, entry points, kind of installation
    _names     the normal form of a distribution's name
    _sources   where a module's files are, and how they looked
"""

from __future__ import annotations

from cellwall_kernel.discovery._names import normal_name
from cellwall_kernel.discovery._records import Environment, PluginRecord, Scan, Stamp

__all__ = ["Environment", "PluginRecord", "Scan", "Stamp", "discover", "normal_name", "scan"]


def scan(environment: Environment, *others: Environment) -> Scan:
    """Find all installed plugins, and what to watch so as to notice a change.

    Args:
        environment: the one that all plugins may share.
        others: those made for one plugin each; a plugin that is in both is taken from its own.

    Returns:
        one record for each entry point, those with a problem included, sorted by name.
    """
    from cellwall_kernel.discovery._scan import scan_environments  # only when something has changed

    return scan_environments((environment, *others))


def discover(environment: Environment, *others: Environment) -> list[PluginRecord]:
    """Find all installed plugins, sorted by name; arguments as for `scan`."""
    return scan(environment, *others).records
