"""The supervisor: the one task group that owns every plugin's session, from its start to its last wait.

Plugins are started on demand and only then; whoever leaves the `async with` block leaves no process behind.
`spawn_plugin` needs no event loop: a command that knows which plugin it will need starts it first and imports
anyio while that begins to run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from cellwall_kernel import launch
from cellwall_kernel.breaker import Breaker, pause_s
from cellwall_kernel.confinement import confine
from cellwall_kernel.errors import CrashedAtStart, PluginBroken, PluginCrashed
from cellwall_kernel.process import (
    INITIALIZE_S,
    Greeting,
    Spawned,
    StderrLog,
    compose,
    refuse_full_folders,
    spawn,
)
from cellwall_kernel.tracing import tape_for
from cellwall_kernel.version import VERSION
from cellwall_wire import (
    METHODS,
    SUPPORTED,
    AssetFile,
    DescribeParams,
    DescribeResult,
    Dirs,
    InitializeParams,
    Limits,
    Peer,
    PluginIdentity,
    WireLimits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from anyio.abc import TaskGroup

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.session import Handler, Session

__all__ = ["Supervisor", "spawn_plugin"]


def spawn_plugin(
    record: PluginRecord,
    paths: Paths,
    *,
    assets: Mapping[str, AssetFile],
    grant: Grant | None = None,
    limits: Limits | None = None,
) -> Spawned:
    """Start a plugin's process; hand the result to `Supervisor.start`.

    Args:
        record: the plugin.
        paths: the user folder.
        assets: its data files, which it may read. It is told to load at once, while this process still
            imports what it needs to listen.
        grant: what it was granted, if that was found to be valid already.
        limits: sizes on the wire.

    Raises:
        PluginBroken: it cannot be started, for a reason known already or found by the system.
        Quarantined: it crashed too often lately.
        CallFailed: what it must be told cannot be told.
        LimitExceeded: its folders hold more than they may.
        StoreProblem: its folders cannot be made.
    """
    if record.problem is not None:
        raise PluginBroken(record.name, f"plugin '{record.name}' cannot be used: {record.problem}")
    plan = launch.plan(
        record,
        data=str(paths.plugin_data(record.name)),
        tmp=str(paths.plugin_tmp(record.name)),
        wall=confine(record, paths, files=[asset.path for asset in assets.values()], grant=grant),
    )
    greeting = _greeting(record, paths, assets, limits or Limits())
    if plan.wall is not None:
        refuse_full_folders(record.name, plan.wall.policy)
    Breaker(paths).admit(record)  # last: what is let through here counts as tried
    spawned = spawn(plan)
    spawned.tape = tape_for(record.name)
    if spawned.tape is not None:
        layers = plan.wall.mechanisms.layers if plan.wall is not None else []
        spawned.tape.event("started", pid=spawned.pid, argv=list(plan.argv), cwd=plan.cwd, wall=layers)
    spawned.greet(greeting)
    return spawned


class Supervisor:
    """Owns the sessions of one command; an async context manager.

    Args:
        paths: the user folder.
        services: what plugins may call, by method.
        limits: sizes on the wire.

    Attributes:
        refusals: plugin name -> what it tried and was not allowed, those that failed to start included.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        services: Mapping[str, Handler] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._paths = paths
        self._services = services or {}
        self._limits = limits or Limits()
        self.refusals: dict[str, list[Refusal]] = {}
        self._sessions: list[Session] = []
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
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as closing:
                for session in self._sessions:
                    closing.start_soon(session.close)
        # Every session is over by now. The error of the block is not for the group, which would wrap it.
        await self._tasks.__aexit__(None, None, None)
        self._tasks = None

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
            timeout_s: how long it may take to get ready, in seconds; by default INITIALIZE_S.

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
        from cellwall_kernel.process.child import Child
        from cellwall_kernel.session import Session

        if self._tasks is None:
            raise RuntimeError("the supervisor is not running")
        if spawned is None:
            spawned = spawn_plugin(record, self._paths, assets=assets or {}, limits=self._limits)
        log = StderrLog(str(self._paths.plugin_log(record.name)), title=f"{record.name} {record.version}")
        session = Session(record, Child(spawned, log), services=self._services)
        self._sessions.append(session)
        self.refusals[record.name] = session.refusals
        self._tasks.start_soon(session.run)
        try:
            await session.initialize(timeout_s=timeout_s or INITIALIZE_S)
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
            if not (METHODS["plugin/describe"].repeatable and await self._may_repeat(record)):
                raise
        return await self._describe(record, assets)

    async def _describe(self, record: PluginRecord, assets: Mapping[str, AssetFile] | None) -> DescribeResult:
        from cellwall_kernel.session import DESCRIBE_S

        session = await self._start(record, assets=assets)
        try:
            params = DescribeParams()
            result: DescribeResult = await session.request("plugin/describe", params, timeout_s=DESCRIBE_S)
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
        self._breaker.note(record, problem)
        before = self._crashes.get(record.grant_key, 0)
        self._crashes[record.grant_key] = before + 1 if self._breaker.counts(problem) else 0

    async def _may_repeat(self, record: PluginRecord) -> bool:
        """Wait as long as the plugin's crashes in this command ask for; whether it may be started then."""
        import random

        import anyio

        if self._breaker.quarantine(record) is not None:
            return False
        await anyio.sleep(pause_s(self._crashes[record.grant_key], random.random()))  # noqa: S311 - no secret
        return True

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

    def kill_now(self) -> None:
        """Have every plugin and all it started killed, without waiting; safe in a signal handler."""
        for session in self._sessions:
            session.kill_now()


def _greeting(
    record: PluginRecord, paths: Paths, assets: Mapping[str, AssetFile], limits: Limits
) -> Greeting:
    params = InitializeParams(
        protocols=list(SUPPORTED),
        host=Peer(name="cellwall", version=VERSION),
        plugin=PluginIdentity(name=record.name, dist=record.dist, version=record.version or None),
        limits=WireLimits(line=limits.line, data_line=limits.data_line),
        dirs=Dirs(data=str(paths.plugin_data(record.name)), scratch=str(paths.plugin_tmp(record.name))),
        assets=dict(assets),
        locale=os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or None,
    )
    return compose(record.name, params, limits)
