"""All that is installed: in the environment that plugins share with us, and in those made for one each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.discovery import Scan, Stamp, scan
from cellwall_kernel.environments import installed

if TYPE_CHECKING:
    from cellwall_kernel.discovery import Environment
    from cellwall_kernel.paths import Paths

__all__ = ["scan_everything"]


def scan_everything(paths: Paths, environment: Environment) -> Scan:
    """Find all plugins, and watch for environments that come, go or are made again.

    Args:
        paths: the user folder.
        environment: the one that is shared.
    """
    own = installed(paths)
    found = scan(environment, *(each.environment() for each in own))
    folder = paths.root / "environments"
    watched = [
        Stamp.of(str(folder)),
        *(Stamp.of(str(folder / each.name / "environment.json")) for each in own),
    ]
    problems = {each.root: each.problem for each in own if each.problem is not None}
    records = [
        msgspec.structs.replace(record, problem=record.problem or problems.get(record.environment or ""))
        for record in found.records
    ]
    return msgspec.structs.replace(found, records=records, watched=[*found.watched, *watched])
