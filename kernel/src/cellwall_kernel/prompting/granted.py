"""Services of the host that need a grant: who may not use them, and how their user learns of it [P-69]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.errors import CallFailed
from cellwall_kernel.grants import valid_grant
from cellwall_kernel.permissions import Refusal

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import ServiceCall

__all__ = ["require"]

TRIED = {"prompt": "run a prompt on another model", "ask": "ask you a question"}


def require(call: ServiceCall, paths: Paths, service: str) -> None:
    """Refuse a call unless its plugin was granted the service; the user is told once what would allow it.

    Args:
        call: a plugin's.
        paths: the user folder.
        service: a value of the permission `host`.

    Raises:
        CallFailed: it was not granted.
        PluginChanged: it was, to other files than the plugin has now.
        StoreProblem: the grants cannot be read.
    """
    if service in valid_grant(paths, call.record).permissions.host:
        return
    refusal = Refusal(tried=TRIED[service], grant=f"host={service}")
    call.note_refusal(refusal)
    plugin = call.record.name
    raise CallFailed(plugin, refusal.sentence(plugin), kind="NotGranted")
