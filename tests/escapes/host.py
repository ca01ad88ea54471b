"""The host part of a run: starts every attempt in a process of its own, and prints what came of each.

    python -m tests.escapes.host RUN.json

A program, because a run may need another user, or a filter of system calls around the whole host. It leads a
session with a terminal of its own, as a command line does. Only a run with a wall imports the kernel.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tests.escapes.arena import PATIENCE_S, PLUGIN, Arena, Pool
from tests.escapes.attempts import all_attempts
from tests.escapes.attempts.startup import POISON, poison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.escapes.attempts import Attempt, Scene

__all__ = ["Outcome", "Run"]

AT_ONCE = 4
"""How many attempts run at the same time."""

LAST_WORDS = 400
"""How much of what an attempt printed is kept (bytes)."""

HOST_KEY = "CELLWALL_TEST_KEY"
"""The variable with the secret of the host part itself."""

STAGE = "tests/escapes/stage"
"""Where, among the code, the stand-in for the SDK is."""

BARE = "import cellwall_sdk._child as child, sys; child.run(sys.argv[1], 0, 1)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is about.

    Args:
        mode: whether there is a wall.
        folder: where it works; it holds the code of the attempts in `payload`.
        names: the attempts.
        landlock: the highest version of Landlock to use; None for the machine's own.
        bubblewrap: whether to use it if it works; likewise `seccomp`.
        network: "none" or "any"; likewise `spawn`, what the wall allows.
    """

    mode: Literal["bare", "walled"]
    folder: str
    names: list[str]
    landlock: int | None = None
    bubblewrap: bool = True
    seccomp: bool = True
    network: Literal["none", "any"] = "none"
    spawn: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one attempt.

    Args:
        escapes: how it got out, as sentences; empty if it was stopped.
        error: what stopped it, in its own words.
        status: how its process ended: an exit code, or minus a signal.
        has_run: whether it was reached at all; else the harness or the wall is broken.
        words: the end of what it printed.
    """

    escapes: list[str]
    error: str
    status: int | None
    has_run: bool
    words: str


class Child(Protocol):
    """A process that runs an attempt."""

    stdin: int
    stdout: int
    stderr: int

    def wait(self) -> int | None:
        """Wait until it has ended, with a bound; then make it end."""
        ...

    def stands(self) -> bool:
        """Whether its wall was said to stand; true without one."""
        ...


class BareChild:
    """An attempt that nothing holds: the way in which programs usually start their plugins.

    Args:
        run: the run.
        attempt: the attempt.
        arena: its place.
        leaks: descriptors that a host could have left open.
    """

    def __init__(self, run: Run, attempt: Attempt, arena: Arena, leaks: Sequence[int]) -> None:
        self.process = subprocess.Popen(
            [base_python(), "-c", BARE, attempt.target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=arena.data,
            env={**os.environ, **revealing(arena, run), "HOME": str(arena.data)},
            pass_fds=tuple(leaks),
            process_group=0,
        )
        streams = (self.process.stdin, self.process.stdout, self.process.stderr)
        self.stdin, self.stdout, self.stderr = (os.dup(stream.fileno()) for stream in streams if stream)
        for stream in streams:
            if stream is not None:
                stream.close()

    def wait(self) -> int | None:
        """Wait until it has ended."""
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
            return self.process.wait(PATIENCE_S)

    def stands(self) -> bool:
        """There is no wall to stand."""
        return True


class WalledChild:
    """An attempt in a cell: started by the kernel as every plugin is.

    Args:
        run: the run.
        attempt: the attempt.
        arena: its place.
        mechanisms: what the machine offers, as far as the run uses it.
    """

    def __init__(self, run: Run, attempt: Attempt, arena: Arena, mechanisms: Any) -> None:
        from cellwall_kernel.discovery import PluginRecord
        from cellwall_kernel.launch import plan
        from cellwall_kernel.paths import Paths
        from cellwall_kernel.permissions import Limits, Permissions
        from cellwall_kernel.process import spawn
        from cellwall_kernel.wall import WallPlan, policy_for

        payload = Path(run.folder, "payload")
        folders = (payload / STAGE, payload, arena.code)
        record = PluginRecord(
            name=PLUGIN,
            dist=PLUGIN,
            version="1.0",
            target=attempt.target,
            location=str(payload),
            python=base_python(),
            folders=tuple(("path", str(folder)) for folder in folders),
            key=PLUGIN,
        )
        paths = Paths(arena.user_folder)
        granted = Permissions(network=run.network, spawn=run.spawn, limits=Limits(cpu_s=attempt.cpu_s))
        environ = {**os.environ, **revealing(arena, run)}
        policy = policy_for(record, granted, paths, environ=environ)
        launch = plan(
            record,
            data=str(paths.plugin_data(PLUGIN)),
            tmp=str(paths.plugin_tmp(PLUGIN)),
            wall=WallPlan(policy=policy, mechanisms=mechanisms),
            environ=environ,
        )
        self.spawned = spawn(launch)
        self.stdin, self.stdout, self.stderr = self.spawned.stdin, self.spawned.stdout, self.spawned.stderr

    def wait(self) -> int | None:
        """Wait until the keeper has ended."""
        end = time.monotonic() + PATIENCE_S
        while not self.spawned.has_ended():
            if time.monotonic() > end:
                self.spawned.signal_group(signal.SIGKILL)
                break
            if self.spawned.pidfd is not None:
                select.select([self.spawned.pidfd], [], [], 1)
        self.spawned.collect()
        if self.spawned.pidfd is not None:
            os.close(self.spawned.pidfd)
        return self.spawned.exit.status if self.spawned.exit else None

    def stands(self) -> bool:
        """Hear whether the wall stands, and let go of the channel."""
        wall = self.spawned.wall
        assert wall is not None
        try:
            return os.read(wall.report, 4096) == b"walled"
        except OSError:
            return False
        finally:
            os.close(wall.report)


def base_python() -> str:
    """The interpreter without an environment around it: that one looks into the user's own folders, too."""
    return str(getattr(sys, "_base_executable", sys.executable))


def revealing(arena: Arena, run: Run) -> dict[str, str]:
    """Variables that a host may have and a plugin must not see; one has the secret."""
    payload = Path(run.folder, "payload")
    return {
        "OPENAI_API_KEY": arena.token,
        "PYTHONPATH": f".:{payload}/{STAGE}:{payload}",
        "LD_PRELOAD": "libm.so.6",
        "SSH_AUTH_SOCK": f"{arena.home}/ssh/agent.sock",
        "DOCKER_HOST": f"unix://{arena.home}/docker.sock",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={arena.home}/bus.sock",
    }


class Host:
    """Runs attempts, several at a time; processes are started by the main thread only.

    Args:
        run: what to do.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.pool = Pool(Path(run.folder))
        self.terminal = own_terminal()
        self.shown = b""
        self.mechanisms = mechanisms_of(run) if run.mode == "walled" else None
        self.done: queue.SimpleQueue[tuple[str, Arena, Outcome]] = queue.SimpleQueue()
        self.outcomes: dict[str, Outcome] = {}
        self.running = 0

    def perform(self) -> dict[str, Outcome]:
        """Run all attempts; those that take much memory come last, one by one."""
        wanted = sorted((all_attempts()[name] for name in self.run.names), key=lambda found: found.is_heavy)
        for attempt in wanted:
            while self.running >= (1 if attempt.is_heavy else AT_ONCE):
                self.collect()
            self.start(attempt)
        while self.running:
            self.collect()
        self.pool.close()
        return self.outcomes

    def start(self, attempt: Attempt) -> None:
        """Start an attempt and have a thread attend to it."""
        arena = self.pool.take()
        scene = arena.scene()
        if attempt.is_poison:
            target = arena.data / POISON[attempt.name]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(poison(attempt.name, scene.secret, f"{scene.data}/loot"))
        leaks = [os.open(arena.home / "secret.txt", os.O_RDONLY), os.open(arena.home, os.O_RDONLY)]
        for fd in leaks:
            os.set_inheritable(fd, True)
        child: Child
        if self.run.mode == "bare":
            child = BareChild(self.run, attempt, arena, leaks)
        else:
            child = WalledChild(self.run, attempt, arena, self.mechanisms)
        for fd in leaks:
            os.close(fd)
        self.running += 1
        threading.Thread(target=self.attend, args=(attempt, arena, scene, child)).start()

    def attend(self, attempt: Attempt, arena: Arena, scene: Scene, child: Child) -> None:
        """See an attempt through, and judge it."""
        try:
            outcome = self.judge(attempt, arena, scene, child)
        except Exception as error:  # noqa: BLE001 - a thread's error must reach the report
            outcome = Outcome(escapes=[], error=f"harness: {error!r}", status=None, has_run=False, words="")
        self.done.put((attempt.name, arena, outcome))

    def judge(self, attempt: Attempt, arena: Arena, scene: Scene, child: Child) -> Outcome:
        """Wait for an attempt's end and compare what it brought and left with what is allowed."""
        said, words = converse(child, json.dumps(vars(scene)).encode() + b"\n")
        status = child.wait()
        stands = child.stands()
        verdict: dict[str, str] = {}
        has_spoken = said.endswith(b"}\n")
        if has_spoken:
            verdict = json.loads(said.splitlines()[-1])
        brought = verdict.get("brought", "")
        escapes = arena.damage(scene)
        self.shown += shown_on(self.terminal)
        if scene.mark.encode() in self.shown:
            escapes.append("it has written to the terminal")
        if arena.token in brought or os.environ[HOST_KEY] in brought:
            escapes.append("it has read the secret")
        elif brought and attempt.takes_word:
            escapes.append(f"it says: {brought[:200]}")
        return Outcome(
            escapes=escapes,
            error=verdict.get("error", ""),
            status=status,
            has_run=stands and (has_spoken or status is None or status < 0 or bool(escapes)),
            words=words.decode("utf-8", "replace"),
        )

    def collect(self) -> None:
        """Take the next outcome."""
        name, arena, outcome = self.done.get(timeout=4 * PATIENCE_S)
        self.running -= 1
        self.outcomes[name] = outcome
        arena.is_spoiled = arena.is_spoiled or not outcome.has_run
        self.pool.give(arena)


def converse(child: Child, scene: bytes) -> tuple[bytes, bytes]:
    """Hand over the scene and take everything that the child says.

    Returns:
        what came over the wire, and the end of what was printed.
    """
    os.set_blocking(child.stdin, True)
    with contextlib.suppress(BrokenPipeError):  # it has ended already; how, is told by its status
        os.write(child.stdin, scene)
    heard = {child.stdout: b"", child.stderr: b""}
    end = time.monotonic() + PATIENCE_S
    open_ends = set(heard)
    while open_ends and time.monotonic() < end:
        for fd in select.select(list(open_ends), [], [], 1)[0]:
            chunk = os.read(fd, 1 << 20)
            heard[fd] = heard[fd] + chunk if fd == child.stdout else (heard[fd] + chunk)[-LAST_WORDS:]
            if not chunk:
                open_ends.discard(fd)
        if child.stdout not in open_ends:
            break
    for fd in (child.stdin, child.stdout, child.stderr):
        os.close(fd)
    return heard[child.stdout], heard[child.stderr]


def own_terminal() -> int:
    """Lead a session with a terminal; gives the other end of it."""
    if os.getpid() != os.getsid(0):
        os.setsid()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.set_blocking(master, False)
    return master


def shown_on(terminal: int) -> bytes:
    """Read what was written to the terminal since."""
    try:
        return os.read(terminal, 65_536)
    except BlockingIOError:
        return b""


def mechanisms_of(run: Run) -> Any:
    """Ask what this machine offers, and take away what the run shall do without."""
    import msgspec

    from cellwall_kernel.wall import Mechanisms

    found = Mechanisms.detect()
    landlock = found.landlock if run.landlock is None else min(found.landlock, run.landlock)
    found = msgspec.structs.replace(found, landlock=landlock)
    if not run.seccomp:
        found = msgspec.structs.replace(found, seccomp=None)
    if not run.bubblewrap:
        found = msgspec.structs.replace(found, bubblewrap=None, bubblewrap_problem="the test does without")
    return found


def main() -> None:
    """Carry out a run and print its report."""
    run = Run(**json.loads(Path(sys.argv[1]).read_text()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1024)), hard))
    host = Host(run)
    outcomes = host.perform()
    report: dict[str, object] = {name: dataclasses.asdict(outcome) for name, outcome in outcomes.items()}
    used = host.mechanisms
    layers = {} if used is None else {
        "landlock": used.landlock, "seccomp": used.seccomp, "bubblewrap": used.bubblewrap,
        "problem": used.bubblewrap_problem, "asks": used.asks,
    }  # fmt: skip
    json.dump({"outcomes": report, "layers": layers}, sys.stdout)


if __name__ == "__main__":
    main()
