"""The supervisor: the one task group that owns every plugin's session, from its start to its last wait."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

from cellwall_kernel.attaching import attachment_of
from cellwall_kernel.breaker import Breaker, pause_s
from cellwall_kernel.config import load_config
from cellwall_kernel.errors import CrashedAtStart, PluginCrashed, PluginError
from cellwall_kernel.process import StderrLog
from cellwall_kernel.supervisor._spawning import spawn_plugin
from cellwall_wire import METHODS, AssetFile, DescribeParams, DescribeResult, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from anyio.abc import TaskGroup

    from cellwall_kernel.config import Config
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.process.child import Child
    from cellwall_kernel.session import Call, Deadline, Handler, ServiceCall, Session
    from cellwall_kernel.supervisor._pool import Pool
    from cellwall_kernel.timeouts import Patience
    from cellwall_wire import HoldResult, Params

__all__ = ["Supervisor"]


class Supervisor:
    """Owns the sessions of one command; an async context manager.

    Args:
        paths: the user folder.
        services: what plugins may call, by method.
        limits: sizes on the wire.
        idle_stop_s: how long a plugin that is called may have nothing to do, in seconds; by default as the
            settings say, else IDLE_STOP_S of the pool.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        services: Mapping[str, Handler] | None = None,
        limits: Limits | None = None,
        idle_stop_s: float | None = None,
    ) -> None:
        self._paths = paths
        self._services = {**(services or {}), "plugin/hold": self._hold}
        self._limits = limits or Limits()
        self._idle_stop_s = idle_stop_s
        self._refusals: dict[str, list[Refusal]] = {}  # of sessions that are over
        self._sessions: list[Session] = []
        self._pool: Pool | None = None
        self._is_closing = False
        self._breaker = Breaker(paths)
        self._crashes: dict[str, int] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        import anyio

        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all plugins, each by its ladder and all at the same time."""
        import anyio

        if self._tasks is None:
            return
        self._is_closing = True
        if self._pool is not None:
            self._pool.close()
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as closing:
                for session in self._sessions:
                    closing.start_soon(session.close)
        # Every session is over by now. The error of the block is not for the group, which would wrap it.
        await self._tasks.__aexit__(None, None, None)
        if self._pool is not None:
            self._pool.close()  # a call that ended meanwhile may have set a timer
        self._tasks = None

    @property
    def refusals(self) -> dict[str, list[Refusal]]:
        """Plugin name -> what it tried and was not allowed, those that failed to start included."""
        found = {name: list(refusals) for name, refusals in self._refusals.items()}
        for session in self._sessions:
            _add(found, session)
        return found

    def call(
        self,
        record: PluginRecord,
        method: str,
        params: Params,
        *,
        deadline: Deadline,
        assets: Mapping[str, AssetFile] | None = None,
        origin: ServiceCall | None = None,
        spawned: Spawned | None = None,
    ) -> AbstractAsyncContextManager[Call]:
        """Make a call to a plugin's one session, which is started if need be and kept for later calls.

            async with supervisor.call(record, "model/prompt", params, deadline=Deadline()) as call:
                async for items in call:
                    ...

        The plugin gets as many calls at a time as it takes; others wait for their turn, within their time.
        How it went is noted here. The call itself is never repeated; see `may_repeat`.

        Args:
            record: the plugin.
            method: what is called; likewise `params` and `deadline`, as for `Session.open`.
            params: as above.
            deadline: as above; waiting for the turn counts.
            assets: the plugin's data files.
            origin: the plugin's call on whose behalf this one is made.
            spawned: the plugin's process, if `spawn_plugin` has started it already.

        Raises:
            CallFailed: `TooDeep`: calls are nested too deeply. `WouldDeadlock`: it would wait for itself.
            DeadlineExceeded: it could not be made in time.
            CellwallError: as for `start`.
        """
        if self._pool is None:
            from cellwall_kernel.supervisor._pool import IDLE_STOP_S, Pool

            if self._tasks is None:
                raise RuntimeError("the supervisor is not running")
            idle_stop_s = self._idle_stop_s
            if idle_stop_s is None:
                idle_stop_s = self._settings.idle_stop_s
            if idle_stop_s is None:
                idle_stop_s = IDLE_STOP_S
            self._pool = Pool(self, self._paths, self._tasks.start_soon, idle_stop_s=idle_stop_s)
        return self._pool.call(
            record, method, params, deadline=deadline, assets=assets or {}, origin=origin, spawned=spawned
        )

    async def stop_all(self) -> None:
        """Stop the plugins that were called, all at the same time; none may be in use."""
        if self._pool is not None:
            await self._pool.stop_all()

    async def _hold(self, call: ServiceCall) -> HoldResult:
        from cellwall_wire import HoldResult

        if self._pool is None or not self._pool.knows(call.parent):
            return HoldResult(granted_ms=0)  # it was started for one call, and ends with that
        return await self._pool.hold(call)

    async def start(
        self,
        record: PluginRecord,
        *,
        assets: Mapping[str, AssetFile] | None = None,
        spawned: Spawned | None = None,
        timeout_s: float | None = None,
    ) -> Session:
        """Start a plugin and bring it to the point where it can be called.

        One that crashes before that is started once more: nothing was asked of it yet.

        Args:
            record: the plugin.
            assets: its data files; the process in `spawned` was told of them already.
            spawned: its process, if `spawn_plugin` has started it already.
            timeout_s: how long it may take to get ready, in seconds; by default as the settings say.

        Raises:
            PluginBroken: it cannot be started or loaded.
            Quarantined: it crashed too often lately.
            DeadlineExceeded: it took too long.
            PluginError: it crashed or broke the protocol.
        """
        try:
            return await self._start(record, assets=assets, spawned=spawned, timeout_s=timeout_s)
        except CrashedAtStart:
            if not await self._may_repeat(record):
                raise
        return await self._start(record, assets=assets, timeout_s=timeout_s)

    async def _start(
        self,
        record: PluginRecord,
        *,
        assets: Mapping[str, AssetFile] | None,
        spawned: Spawned | None = None,
        timeout_s: float | None = None,
    ) -> Session:
        from cellwall_kernel.session import Session

        if self._tasks is None:
            raise RuntimeError("the supervisor is not running")
        if self._is_closing:
            raise PluginError(
                record.name, f"plugin '{record.name}' is not started any more: the command ends."
            )
        if spawned is None:
            spawned = spawn_plugin(record, self._paths, assets=assets or {}, limits=self._limits)
        log = StderrLog(str(self._paths.plugin_log(record.name)), title=f"{record.name} {record.version}")
        session = Session(record, _child_of(spawned, log), services=self._services)
        self._sessions.append(session)
        self._tasks.start_soon(session.run)
        try:
            await session.initialize(timeout_s=timeout_s or self.patience(record).start.seconds)
        except BaseException as problem:
            self.note(record, problem)
            await self.stop(session, patience_s=0)
            raise
        return session

    async def describe(
        self, record: PluginRecord, *, assets: Mapping[str, AssetFile] | None = None
    ) -> DescribeResult:
        """Ask a plugin what it offers: started for the question, stopped after the answer.

        The protocol calls the question repeatable: a plugin that crashes over it is asked once more.

        Raises:
            PluginError, DeadlineExceeded: as for `start`.
        """
        try:
            return await self._describe(record, assets)
        except (CrashedAtStart, PluginCrashed):
            if not await self.may_repeat(record, "plugin/describe"):
                raise
        return await self._describe(record, assets)

    async def _describe(self, record: PluginRecord, assets: Mapping[str, AssetFile] | None) -> DescribeResult:
        session = await self._start(record, assets=assets)
        try:
            params = DescribeParams()
            result: DescribeResult = await session.request(
                "plugin/describe", params, timeout_s=self.patience(record).describe.seconds
            )
        except BaseException as problem:
            self.note(record, problem)
            await self.stop(session, patience_s=0)
            raise
        self.note(record)
        await self.stop(session)
        return result

    def note(self, record: PluginRecord, problem: BaseException | None = None) -> None:
        """Note how it went with a plugin that was started; crashes add up, in this command and in the next.

        Whoever calls a plugin says so once, after the call: what is noticed later, while the plugin is being
        stopped, is not held against it.

        Args:
            record: the plugin.
            problem: what ended it; None if all was well.
        """
        if attachment_of(record.name) is not None:
            return  # its author debugs it
        self._breaker.note(record, problem)
        before = self._crashes.get(record.grant_key, 0)
        self._crashes[record.grant_key] = before + 1 if self._breaker.counts(problem) else 0

    def patience(self, record: PluginRecord) -> Patience:
        """Return how long the plugin is waited for."""
        return self._settings.timeouts.patience(record.name)

    @cached_property
    def _settings(self) -> Config:
        """The user's settings, as they were when the command first needed them."""
        return load_config(self._paths)

    def is_crash(self, problem: BaseException | None) -> bool:
        """Whether a problem is one that counts against the plugin that had it."""
        return self._breaker.counts(problem)

    async def may_repeat(self, record: PluginRecord, method: str) -> bool:
        """Wait as long as the plugin's crashes ask for; whether a call that crashed may be made once more.

        Args:
            record: the plugin.
            method: what was called, without anything of the answer having arrived [P-54].
        """
        return METHODS[method].repeatable and await self._may_repeat(record)

    async def _may_repeat(self, record: PluginRecord) -> bool:
        if self._breaker.quarantine(record) is not None:
            return False
        await self.pause(record)
        return True

    async def pause(self, record: PluginRecord) -> None:
        """Wait as long as the plugin's crashes in this command ask for; not at all if there was none."""
        import random

        import anyio

        if crashes := self._crashes.get(record.grant_key, 0):
            await anyio.sleep(pause_s(crashes, random.random()))  # noqa: S311 - no secret

    async def stop(self, session: Session, *, patience_s: float | None = None) -> None:
        """Stop one plugin by its ladder; returns when its process has ended.

        Args:
            session: the plugin's.
            patience_s: how long it has to leave by itself, in seconds; by default CLOSE_S of the ladder.
        """
        from cellwall_kernel.process.child import CLOSE_S

        await session.close(patience_s=CLOSE_S if patience_s is None else patience_s)
        if session in self._sessions:
            self._sessions.remove(session)
            _add(self._refusals, session)

    def kill_now(self) -> None:
        """Have every plugin and all it started killed, without waiting; safe in a signal handler."""
        if self._pool is not None:
            self._pool.forgive()
        for session in self._sessions:
            session.kill_now()


def _child_of(spawned: Spawned, log: StderrLog) -> Child:
    from cellwall_kernel.process.child import Child

    if spawned.is_attached:
        from cellwall_kernel.process.attached import AttachedChild

        return AttachedChild(spawned, log)
    return Child(spawned, log)


def _add(refusals: dict[str, list[Refusal]], session: Session) -> None:
    """Add what a session's plugin tried, each thing once."""
    known = refusals.setdefault(session.plugin, [])
    known += [refusal for refusal in session.refusals if refusal not in known]
