"""One running session for each plugin: calls share it, wait for a place in it, and it ends when it is idle.

A berth is a plugin as it is to run: a version, its data files, the working folder, the grants. A later call
of the same goes to the session that runs; a session that has failed is replaced by the supervisor's rules
(its breaker, its pauses). Who waits for whom is known to `_waits`; here are the clock and the event loop. One
timer for each berth looks after idleness and holds.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from msgspec.structs import replace

from cellwall_kernel.errors import CallFailed, CellwallError, DeadlineExceeded, PluginError
from cellwall_kernel.supervisor._spawning import MOST_DEEP
from cellwall_kernel.supervisor._waits import Circle, Lane, Turn

if TYPE_CHECKING:
    from asyncio import Future, TimerHandle
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.session import Call, Deadline, ServiceCall, Session
    from cellwall_kernel.supervisor._supervisor import Supervisor
    from cellwall_kernel.supervisor.holds import Hold
    from cellwall_wire import AssetFile, HoldResult, Params

__all__ = ["IDLE_STOP_S", "Pool"]

IDLE_STOP_S = 10.0
"""How long a plugin may have nothing to do before it is stopped (seconds): longer than the next question of
somebody who types, shorter than anybody wants to lend it memory."""

HOLD_CHECK_S = 1.0
"""How often is looked whether the user has ended a hold (seconds)."""

END_S = 6.0
"""How long a session that has failed may take to be over by itself (seconds); then it is stopped."""

SHORTEST_S = 0.001
"""The least time that a call is opened with (seconds): it then fails as one that took too long."""


class Berth:
    """A plugin as it is to run, and its session while there is one.

    Attributes:
        record: the plugin.
        assets: its data files.
        lane: its places.
        session: what runs; None before the first start, and after the last.
        hold: why it is not stopped while idle; None most of the time.
        idle_since: when the last call ended, on the event loop's clock.
    """

    def __init__(self, record: PluginRecord, assets: Mapping[str, AssetFile]) -> None:
        self.record = record
        self.assets = assets
        self.lane = Lane(record.name)
        self.session: Session | None = None
        self.hold: Hold | None = None
        self.idle_since = 0.0
        self.timer: TimerHandle | None = None
        self.starting = anyio.Lock()
        self.starts = 0  # how many were tried
        self.problem: CellwallError | None = None  # of the last one
        self.is_killed = False
        self.is_noted = {True: False, False: False}  # whether this session's success and failure were

    @property
    def is_usable(self) -> bool:
        """Whether calls can be made to the session."""
        session = self.session
        is_alive = session is not None and session.failure is None and not session.has_ended
        return is_alive and not self.is_killed

    def took(self, session: Session) -> None:
        """Use a session that has just become ready."""
        self.session, self.is_killed = session, False
        self.is_noted = {True: False, False: False}


class Pool:
    """The sessions of a supervisor that calls share.

    Args:
        supervisor: starts, notes and stops.
        paths: the user folder.
        start_soon: starts a task of the supervisor's group.
        idle_stop_s: how long a plugin may be idle, in seconds.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        paths: Paths,
        start_soon: Callable[..., object],
        *,
        idle_stop_s: float = IDLE_STOP_S,
    ) -> None:
        self._supervisor = supervisor
        self._paths = paths
        self._start_soon = start_soon
        self._idle_stop_s = idle_stop_s
        self._berths: dict[object, Berth] = {}
        self._retired: set[Berth] = set()  # with calls or a hold, but not for new calls
        self._turns: dict[Call, tuple[Berth, Turn]] = {}
        self._wakers: dict[Turn, Future[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._stamp: object = None

    @asynccontextmanager
    async def call(
        self,
        record: PluginRecord,
        method: str,
        params: Params,
        *,
        deadline: Deadline,
        assets: Mapping[str, AssetFile],
        origin: ServiceCall | None = None,
        spawned: Spawned | None = None,
    ) -> AsyncGenerator[Call]:
        """Make a call; see `Supervisor.call`."""
        if origin is not None and origin.depth + 1 > MOST_DEEP:
            raise CallFailed(record.name, _too_deep(record, origin), kind="TooDeep")
        berth = self._berth(record, assets, is_started=spawned is not None)
        turn = self._enter(berth, origin)
        call: Call | None = None
        try:
            limit_s = deadline.total_s if origin is None else min(deadline.total_s, origin.remaining_s())
            session, waited_s = await self._turn_of(
                berth, turn, limit_s, spawned, is_nested=origin is not None
            )
            if waited_s:
                deadline = replace(deadline, total_s=max(deadline.total_s - waited_s, SHORTEST_S))
            async with session.open(method, params, deadline=deadline, origin=origin) as call:
                self._turns[call] = berth, turn
                yield call
        finally:
            if call is not None:
                self._turns.pop(call, None)
                self._note(berth, call)
            if not berth.is_usable:
                _let_go(berth)
            self._wake(turn.leave())
            if berth.lane.is_empty:
                self._begin_idling(berth)

    def knows(self, call: Call) -> bool:
        """Whether a call was made here and is open."""
        return call in self._turns

    async def hold(self, call: ServiceCall) -> HoldResult:
        """Answer `plugin/hold` [P-74]."""
        from cellwall_kernel.supervisor.holds import Hold
        from cellwall_wire import HoldResult

        berth, _ = self._turns[call.parent]
        _let_go(berth)
        berth.hold = Hold.begin(self._paths, call.record.name, call.params.reason, call.params.max_ms)
        self._look_soon(berth)
        return HoldResult(granted_ms=0 if berth.hold is None else berth.hold.granted_ms)

    async def stop_all(self) -> None:
        """Stop all plugins, each by its ladder and all at the same time; none may be in use."""
        self.close()
        sessions = [berth.session for berth in self._all() if berth.session is not None]
        self._berths.clear()
        self._retired.clear()
        if len(sessions) == 1:  # as nearly always; its process is told before anything else is done
            await self._supervisor.stop(sessions[0])
            return
        async with anyio.create_task_group() as tasks:
            for session in sessions:
                tasks.start_soon(self._supervisor.stop, session)

    def forgive(self) -> None:
        """Hold no end from now on against the plugins that run: it is ours; safe in a signal handler."""
        for berth in self._all():
            berth.is_noted[False] = berth.is_killed = True

    def close(self) -> None:
        """Look after nothing any more: no timer, no hold is left."""
        for berth in self._all():
            _calm(berth)
            _let_go(berth)

    # -- a turn ----------------------------------------------------------------------------------------------

    def _berth(self, record: PluginRecord, assets: Mapping[str, AssetFile], *, is_started: bool) -> Berth:
        """Return the berth that fits; one of before a grant was changed fits no more."""
        if (stamp := _stamp_of(self._paths)) != self._stamp:
            self._stamp = stamp
            for berth in self._berths.values():
                self._retired.add(berth)
                self._look_soon(berth)
            self._berths.clear()
        key = (record.grant_key, record.version, record.key, _here(), frozenset(assets.items()))
        if is_started and key in self._berths:  # that process needs a berth of its own
            berth = self._berths.pop(key)
            self._retired.add(berth)
            self._look_soon(berth)
        if key not in self._berths:
            self._berths[key] = Berth(record, assets)
        return self._berths[key]

    def _enter(self, berth: Berth, origin: ServiceCall | None) -> Turn:
        """Ask for a turn.

        Raises:
            CallFailed: it would wait for itself [P-57].
        """
        known = self._turns.get(origin.parent) if origin is not None else None
        try:
            return berth.lane.enter(None if known is None else known[1])
        except Circle as circle:
            way = " -> ".join(f"plugin {name}" for name in circle.lanes)
            name = berth.record.name
            sentence = f"plugin '{name}' cannot be asked now, because that would wait for itself: {way}."
            raise CallFailed(name, sentence, kind="WouldDeadlock") from None

    async def _turn_of(
        self, berth: Berth, turn: Turn, limit_s: float, spawned: Spawned | None, *, is_nested: bool
    ) -> tuple[Session, float]:
        """Wait until the session is ready and the turn has come.

        Args:
            berth: whose.
            turn: which.
            limit_s: how long it may wait in all, in seconds.
            spawned: the plugin's process, if it was started already.
            is_nested: loading the plugin counts as well; else that has a limit of its own.

        Returns:
            the session, and how much of the call's time is over, in seconds.

        Raises:
            DeadlineExceeded: it took too long.
            CellwallError: as for `Supervisor.start`.
        """
        waited_s = 0.0
        seen = berth.starts
        while True:
            if not berth.is_usable:
                began = anyio.current_time()
                most_s = limit_s - waited_s if is_nested else None
                await self._make_ready(berth, seen, most_s, spawned)
                spawned = None
                waited_s += anyio.current_time() - began if is_nested else 0.0
            if turn.runs and berth.is_usable and berth.session is not None:
                return berth.session, waited_s
            if not turn.runs:
                began = anyio.current_time()
                await self._come_up(berth, turn, limit_s - waited_s)
                waited_s += anyio.current_time() - began

    async def _come_up(self, berth: Berth, turn: Turn, limit_s: float) -> None:
        news = self._wakers[turn] = self._loop.create_future()
        try:
            with anyio.move_on_after(max(limit_s, 0)) as scope:
                await news
        finally:
            del self._wakers[turn]
        if scope.cancelled_caught and not turn.runs:
            name = berth.record.name
            raise DeadlineExceeded(f"plugin '{name}' was busy with other calls for {limit_s:.3g} s.")

    async def _make_ready(
        self, berth: Berth, seen: int, most_s: float | None, spawned: Spawned | None
    ) -> None:
        """Have the session started; those who came before a start share its failure."""
        with anyio.move_on_after(most_s) as scope:
            await berth.starting.acquire()
        if scope.cancelled_caught:
            raise DeadlineExceeded(f"plugin '{berth.record.name}' was not ready within {most_s:.3g} s.")
        try:
            if berth.is_usable:
                return
            if berth.starts != seen and berth.problem is not None:
                raise berth.problem
            await self._start(berth, most_s, spawned)
        finally:
            berth.starting.release()

    async def _start(self, berth: Berth, most_s: float | None, spawned: Spawned | None) -> None:
        record, old = berth.record, berth.session
        berth.problem = None
        usual_s = self._supervisor.patience(record).start.seconds
        timeout_s = None if most_s is None or most_s >= usual_s else max(most_s, SHORTEST_S)
        try:
            if old is not None:
                self._note_failure(berth, old)
                self._forget(berth)
                self._start_soon(self._clear_away, old)
                await self._supervisor.pause(record)
            session = await self._supervisor.start(
                record, assets=berth.assets, spawned=spawned, timeout_s=timeout_s
            )
        except CellwallError as problem:
            berth.starts += 1
            if timeout_s is None or not isinstance(problem, DeadlineExceeded):
                berth.problem = problem  # else it is of this call only, which had little time
            self._wake(berth.lane.queue)
            raise
        except BaseException:
            self._wake(berth.lane.queue)  # with no place there, one of them must try again
            raise
        berth.starts += 1
        berth.took(session)
        limits = session.info.limits if session.info is not None else None
        places = max(1, limits.concurrency) if limits is not None else 1
        is_reentrant = limits.reentrant if limits is not None else False
        self._wake(berth.lane.resize(places, is_reentrant=is_reentrant))

    async def _clear_away(self, session: Session) -> None:
        """Stop what is left of a session that has failed, once all its calls know why."""
        await session.wait(END_S)
        await self._supervisor.stop(session)

    def _wake(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            news = self._wakers.get(turn)
            if news is not None and not news.done():
                news.set_result(None)

    # -- what is noted ---------------------------------------------------------------------------------------

    def _note(self, berth: Berth, call: Call) -> None:
        """Note how a call went: the first success of a session, and its one failure."""
        problem: CellwallError | None = None
        try:
            _ = call.result if call.is_done else None
        except CellwallError as raised:
            problem = raised
        if call.cancelled is not None and not berth.is_usable:
            berth.is_noted[False] = True  # it was ended because nobody wanted its answer
        is_well = not self._supervisor.is_crash(problem)
        if not berth.is_noted[is_well]:
            berth.is_noted[is_well] = True
            self._supervisor.note(berth.record, problem)

    def _note_failure(self, berth: Berth, session: Session) -> None:
        """Note what ended a session while nobody called it."""
        failure = session.failure
        if isinstance(failure, PluginError) and not berth.is_noted[False]:
            berth.is_noted[False] = True
            self._supervisor.note(berth.record, failure)

    # -- idleness and holds ----------------------------------------------------------------------------------

    def _begin_idling(self, berth: Berth) -> None:
        berth.idle_since = self._loop.time()
        if berth.timer is None:
            berth.timer = self._loop.call_later(self._idle_stop_s, self._look, berth)

    def _look_soon(self, berth: Berth) -> None:
        _calm(berth)
        berth.timer = self._loop.call_later(HOLD_CHECK_S if berth.hold is not None else 0, self._look, berth)

    def _look(self, berth: Berth) -> None:
        """Stop a plugin that is idle and not held; else look again when that may have changed."""
        berth.timer = None
        was_held = berth.hold is not None
        if berth.hold is not None and (berth.hold.is_over or not berth.is_usable):
            _let_go(berth)
        if berth.hold is not None:
            self._look_soon(berth)
        elif berth.lane.is_empty:
            due = berth.idle_since + (0 if was_held or berth in self._retired else self._idle_stop_s)
            if self._loop.time() < due:
                berth.timer = self._loop.call_at(due, self._look, berth)
            else:
                self._stop(berth)

    def _stop(self, berth: Berth) -> None:
        session = berth.session
        self._forget(berth)
        self._retired.discard(berth)
        self._berths = {key: known for key, known in self._berths.items() if known is not berth}
        if session is not None:
            self._note_failure(berth, session)
            self._start_soon(self._supervisor.stop, session)

    def _forget(self, berth: Berth) -> None:
        """Have no session any more: nobody gets a place before there is a new one."""
        berth.session = None
        berth.lane.resize(0)
        _let_go(berth)

    def _all(self) -> list[Berth]:
        return [*self._berths.values(), *self._retired]


def _calm(berth: Berth) -> None:
    if berth.timer is not None:
        berth.timer.cancel()
        berth.timer = None


def _let_go(berth: Berth) -> None:
    if berth.hold is not None:
        berth.hold.end()
        berth.hold = None


def _too_deep(record: PluginRecord, origin: ServiceCall) -> str:
    names: list[str] = [record.name]
    here: ServiceCall | None = origin
    while here is not None:
        names.append(here.record.name)
        here = here.parent.origin
    way = " -> ".join(f"plugin {name}" for name in reversed(names))
    return f"calls are nested more than {MOST_DEEP} deep: {way}."


def _here() -> str:
    """Return the working folder, which a plugin may have been started in."""
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return ""


def _stamp_of(paths: Paths) -> Any:
    """Return what changes when the file of grants does."""
    try:
        found = paths.grants.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
