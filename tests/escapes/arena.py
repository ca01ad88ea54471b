"""The place of an attempt: the victim's home and process, the attempt's own folder, and what changed there.

An arena in which nothing has changed serves for the next attempt, so that a wall that holds is tested fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import hashlib
import json
import os
import secrets
import selectors
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.escapes.attempts import Scene

__all__ = ["PATIENCE_S", "PLUGIN", "Arena", "Pool"]

PATIENCE_S = 20.0
"""How long the harness waits for one thing; long, because machines are busy."""

PLUGIN = "escape"
"""The name of the plugin that every attempt plays."""

HERE = Path(__file__).parent
IPC_REMOVE = 0
MQ_UNLINK = {"x86_64": 241, "aarch64": 181}


class Arena:
    """One victim with its home, and a folder for an attempt; close it after use.

    Args:
        root: an empty folder of its own.

    Attributes:
        is_spoiled: whether something has changed, so that it cannot serve again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_spoiled = False
        self.home, self.code = root / "home", root / "code"
        self.user_folder = root / "cellwall"
        self.data = self.user_folder / "plugins" / PLUGIN / "data"
        self.token = secrets.token_hex(12)
        furnish(self.home, self.token)
        self.data.mkdir(0o700, parents=True)
        (self.data.parent / "tmp").mkdir(0o700)
        (self.user_folder / "keys.json").write_text(f"it is {self.token}\n")
        (self.data.parent / "stderr.log").write_text("what it has printed\n")
        (self.code / "__pycache__").mkdir(parents=True)
        (self.code / "readable.txt").write_text("the plugin's own code")
        self.master, slave = os.openpty()
        self.terminal = os.ttyname(slave)
        self.slave = slave
        os.set_blocking(self.master, False)
        self.victim = subprocess.Popen(
            [sys.executable, "-I", "-S", str(HERE / "victim.py"), str(self.home), self.token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"SECRET_KEY": self.token},
            bufsize=0,
            start_new_session=True,
        )
        self.hello: dict[str, Any] = {}
        self.before: dict[str, dict[str, Any]] = {}

    def settle(self) -> None:
        """Wait until the victim is ready, and note how everything is."""
        self.hello = json.loads(self.line())
        self.before = {"state": self.state(), "files": self.files()}

    def close(self) -> None:
        """End the victim and delete everything."""
        self.victim.kill()
        self.victim.wait(PATIENCE_S)
        for file in (self.victim.stdin, self.victim.stdout):
            if file is not None:
                file.close()
        os.close(self.master)
        os.close(self.slave)
        self.home.chmod(0o700)
        shutil.rmtree(self.root)

    def scene(self) -> Scene:
        """Say what the next attempt is told; each has a mark of its own."""
        from tests.escapes.attempts import Scene

        return Scene(
            home=str(self.home),
            data=str(self.data),
            code=str(self.code),
            mark=f"cellwall-{secrets.token_hex(8)}",
            host_group=os.getpgrp(),
            terminal=self.terminal,
            number=secrets.randbelow(1 << 30) + 1,
            **self.hello,
        )

    # -- what has changed ------------------------------------------------------------------------------------

    def damage(self, scene: Scene) -> list[str]:
        """List every trace that an attempt has left where it must not, and remove what would outlive it."""
        found = [*outlived(scene), *self.gains(scene)]
        files = self.files()
        before = self.before["files"]
        found += [
            f"changed: {path}" for path in sorted({*files, *before}) if files.get(path) != before.get(path)
        ]
        with contextlib.suppress(BlockingIOError):
            found.append(f"terminal: {os.read(self.master, 4096)!r}")
        found.extend(self.harm())
        self.is_spoiled = bool(found)
        return found

    def harm(self) -> Iterator[str]:
        """Tell what has happened to the victim's process."""
        if self.victim.poll() is not None:
            yield f"the victim has ended: {self.victim.returncode}"
            return
        if Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt":
            os.kill(self.victim.pid, signal.SIGCONT)
            yield "the victim was stopped"
        after: dict[str, Any] = {}
        with contextlib.suppress(ValueError):
            after = self.state()
        for name, value in self.before["state"].items():
            if after.get(name) != value:
                yield f"the victim's {name}: {value} became {after.get(name)}"

    def gains(self, scene: Scene) -> Iterator[str]:
        """Tell what in the attempt's own folder must not be there."""
        for path in self.data.rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                yield "it has a device of its own"
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                yield "it has a set-uid file"
        if Path(scene.trace).exists():
            yield "a foreign program has run"
        if (loot := self.data / "loot").exists() and self.token in loot.read_text():
            yield "something ran before the wall and read the secret"
        lock = self.data / "alive.lock"
        if lock.exists():
            with lock.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield "a process outlives its parent"

    def clear(self) -> None:
        """Empty the attempt's folders for the next one."""
        for folder in (self.data, self.data.parent / "tmp"):
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def files(self) -> dict[str, tuple[object, ...]]:
        """Describe every file that the attempt must not change."""
        own = self.data.parent
        beside = (self.user_folder / "keys.json", own.parent, own, own / "stderr.log")
        seen = (path for top in (self.home, self.code) for path in walk(top))
        return {str(path): described(path) for path in (*seen, *beside)}

    # -- the victim ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Ask the victim how it stands."""
        assert self.victim.stdin is not None
        self.victim.stdin.write(b"?\n")
        state: dict[str, Any] = json.loads(self.line())
        return state

    def line(self) -> bytes:
        """Read a line of the victim's.

        Raises:
            AssertionError: it says nothing.
        """
        assert self.victim.stdout is not None
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.victim.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                assert selector.select(PATIENCE_S), "the victim says nothing"
                piece = self.victim.stdout.read(65_536)
                if not piece:
                    break
                line += piece
        return line


def furnish(home: Path, token: str) -> None:
    """Fill a home folder with what people have there; everything of worth holds the token."""
    for folder in (
        *(".ssh", "ssh", ".config/autostart", ".local/bin", "work/.git/hooks", "documents", "site"),
        "llm/plugins/other",
    ):
        (home / folder).mkdir(parents=True)
    for name in (
        *("secret.txt", ".ssh/id_ed25519", ".bash_history", "documents/diary.txt", f"named-{token}"),
        *("llm/keys.json", "llm/grants.json", "llm/plugins/other/data.txt"),
    ):
        (home / name).write_text(f"it is {token}\n")
        (home / name).chmod(0o600)
    (home / ".bashrc").write_text("# nothing\n")
    (home / "link").symlink_to(f"/nowhere/{token}")
    with contextlib.suppress(OSError):  # not every file system can
        os.setxattr(home / "secret.txt", "user.note", token.encode())
    with contextlib.closing(sqlite3.connect(home / "llm" / "logs.db")) as database:
        database.execute("pragma synchronous=off")
        database.execute("create table responses (prompt text)")
        database.execute("insert into responses values (?)", (f"it is {token}",))
        database.commit()


def walk(top: Path) -> Iterator[Path]:
    """Give a folder and everything below it, as far as that can be seen."""
    yield top
    for folder, folders, files in os.walk(top):
        yield from (Path(folder, name) for name in (*folders, *files))


def described(path: Path) -> tuple[object, ...]:
    """Describe a file by all that an attempt could change; the last number tells of every change."""
    found = path.lstat()
    content = ""
    if stat.S_ISREG(found.st_mode):
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except PermissionError:
            content = "unreadable"
    return (
        *(found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_nlink, found.st_mtime_ns),
        *(content, found.st_ctime_ns),
    )


def outlived(scene: Scene) -> Iterator[str]:
    """Tell what an attempt has left in the system under its mark or number, and remove it."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        left = Path(folder, scene.mark)
        if left.exists():
            left.unlink()
            yield f"it has left a file in {folder}"
    libc = ctypes.CDLL(None)
    if (memory := libc.shmget(scene.number, 0, 0)) >= 0:
        libc.shmctl(memory, IPC_REMOVE, None)
        yield "it has left shared memory"
    if (messages := libc.msgget(scene.number, 0)) >= 0:
        libc.msgctl(messages, IPC_REMOVE, None)
        yield "it has left messages"
    if (semaphores := libc.semget(scene.number, 0, 0)) >= 0:
        libc.semctl(semaphores, 0, IPC_REMOVE)
        yield "it has left semaphores"
    number = MQ_UNLINK.get(os.uname().machine)
    if number and libc.syscall(number, ctypes.c_char_p(scene.mark.encode())) == 0:
        yield "it has left a queue of messages"


@dataclasses.dataclass
class Pool:
    """Arenas in which nothing has changed.

    Args:
        root: where they are made.
    """

    root: Path
    free: list[Arena] = dataclasses.field(default_factory=list[Arena])
    coming: list[Arena] = dataclasses.field(default_factory=list[Arena])
    made: int = 0

    def take(self) -> Arena:
        """Give a free arena, or a new one; only from the main thread, for the victim goes with the thread.

        While the last free one is used, the victim of the next begins.
        """
        arena = self.free.pop() if self.free else self.coming.pop() if self.coming else self.make()
        if not self.free and not self.coming:
            self.coming.append(self.make())
        if not arena.hello:
            arena.settle()
        return arena

    def make(self) -> Arena:
        """Start a new arena."""
        self.made += 1
        folder = self.root / f"arena-{self.made}"
        folder.mkdir(0o755)
        return Arena(folder)

    def give(self, arena: Arena) -> None:
        """Take back an arena; one in which something has changed is not used again."""
        if arena.is_spoiled:
            arena.close()
        else:
            arena.clear()
            self.free.append(arena)

    def close(self) -> None:
        """Close all arenas."""
        for arena in (*self.free, *self.coming):
            arena.close()
