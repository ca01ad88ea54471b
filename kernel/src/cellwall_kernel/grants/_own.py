"""What no grant may include: the user folder with its keys and logs, and, for writing, our own code.

The wall cannot take a folder out of a larger one, so the larger one is refused. Real paths are compared, here
when something is granted and again at launch: a link may have been made in between.
"""

# ruff: noqa: PTH100, PTH120 - places are texts

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cellwall_kernel.errors import UsageProblem
from cellwall_kernel.permissions import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Permissions

__all__ = ["refuse_own_folders"]

CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def refuse_own_folders(
    paths: Paths, permissions: Permissions, environ: Mapping[str, str] | None = None
) -> None:
    """Refuse permissions that reach into what is ours.

    Args:
        paths: the user folder.
        permissions: what is about to be granted.
        environ: where `~` and variables are looked up; by default this process's environment.

    Raises:
        UsageProblem: one of them does; the sentence names it.
    """
    ours = [(str(paths.root), "Cellwall keeps keys and conversations")]
    for kind, places in (("read", permissions.read), ("write", permissions.write)):
        if kind == "write":
            ours.append((CODE, "Cellwall itself is"))
        for place in places:
            path = expanded(place, environ)
            for own, what in ours:
                if path is not None and path.startswith("/") and _meet(path, own):
                    raise UsageProblem(
                        f"{kind}={place} cannot be granted: {what} in {own}; grant a folder beside it, or "
                        "single folders below yours."
                    )


def _meet(one: str, other: str) -> bool:
    """Whether one of two paths holds the other, once all links are followed."""
    here, there = (os.path.realpath(path).rstrip("/") + "/" for path in (one, other))
    return here.startswith(there) or there.startswith(here)
