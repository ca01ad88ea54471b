"""Answers `store/*`: values that the host keeps for a plugin across its processes [P-72]."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cellwall_kernel.errors import StoreProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.plugin_store import PluginStore
    from cellwall_kernel.session import Handler, ServiceCall
    from cellwall_wire import Empty, StoreGetResult, StoreListResult

__all__ = ["StoreService"]

T = TypeVar("T")

BUSY_WAIT_S = 10.0
"""How long other processes may keep a plugin's file busy; a change takes a millisecond (seconds)."""

BUSY_POLL_S = 0.01


class StoreService:
    """Answers the four methods for all plugins of one command.

    Args:
        paths: the user folder.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._open: dict[str, PluginStore] = {}

    @property
    def handlers(self) -> dict[str, Handler]:
        """Method -> what answers it."""
        return {
            "store/get": self._get,
            "store/set": self._set,
            "store/delete": self._delete,
            "store/list": self._list,
        }

    def close(self) -> None:
        """Close the files."""
        for store in self._open.values():
            store.close()
        self._open.clear()

    async def _get(self, call: ServiceCall) -> StoreGetResult:
        from cellwall_wire import StoreGetResult

        found, value = await self._when_free(call, lambda store: store.get(call.params.key))
        return StoreGetResult(found=found, value=value)

    async def _set(self, call: ServiceCall) -> Empty:
        from cellwall_wire import Empty

        await self._when_free(call, lambda store: store.set(call.params.key, call.params.value))
        return Empty()

    async def _delete(self, call: ServiceCall) -> Empty:
        from cellwall_wire import Empty

        await self._when_free(call, lambda store: store.delete(call.params.key))
        return Empty()

    async def _list(self, call: ServiceCall) -> StoreListResult:
        from cellwall_wire import StoreListResult

        return StoreListResult(keys=await self._when_free(call, lambda store: store.keys(call.params.prefix)))

    async def _when_free(self, call: ServiceCall, work: Callable[[PluginStore], T]) -> T:
        """Do something with the plugin's store as soon as no other process is in the way."""
        from anyio import current_time, sleep

        from cellwall_kernel.plugin_store import Busy, PluginStore

        name = call.record.name
        store = self._open.get(name)
        if store is None:
            store = self._open[name] = PluginStore(self._paths, name)
        until = current_time() + BUSY_WAIT_S
        while current_time() < until:
            try:
                return work(store)
            except Busy:
                await sleep(BUSY_POLL_S)
        raise StoreProblem(f"what plugin '{name}' has stored is kept busy by another process.")
