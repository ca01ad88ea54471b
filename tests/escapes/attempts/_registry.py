"""What an escape attempt is, what it is told about its victim, and the list of all of them.

An attempt never decides alone whether it has got out. The harness believes
- a secret: the victim's token in what the attempt brought home, which it was never told;
- a deed: a difference in the victim's files, its process or its sockets, seen from outside;
- a word: the attempt's own "yes", only where success shows nowhere else (a system call that was carried out).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as everywhere in this folder: each attempt pays for what is imported
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    Kind = Literal[
        "files", "names", "process", "network", "services", "kernel", "resources", "startup", "host guard"
    ]
    # The class of an attempt; what a "host guard" stops is tested where the guards are.

__all__ = ["ATTEMPTS", "Attempt", "Scene", "attempt"]


class Scene:
    """What an attempt knows about the place: everything but the token.

    Args:
        home: the victim's home folder.
        data: the attempt's own data folder.
        code: a folder that it may read, as its own code is.
        mark: a name that nobody else uses.
        host: the victim's process.
        host_group: the process group of the program that started the attempt.
        host_fd: a descriptor of the victim's that is open on its secret; `host_pipe` one that it writes to.
        buffer: the address of 64 secret bytes in the victim's memory; `canvas` one of bytes without use.
        tcp: the victim's TCP port on 127.0.0.1; likewise `udp`.
        abstract: the name of the victim's abstract socket, without the leading zero byte.
        terminal: a terminal of the victim's.
        number: a key for System V objects that nobody else uses.
    """

    home: str
    data: str
    code: str
    mark: str
    host: int
    host_group: int
    host_fd: int
    host_pipe: int
    buffer: int
    canvas: int
    tcp: int
    udp: int
    abstract: str
    terminal: str
    number: int

    def __init__(self, **values: str | int) -> None:
        self.__dict__.update(values)

    @property
    def secret(self) -> str:
        """The victim's secret file."""
        return f"{self.home}/secret.txt"

    @property
    def readable(self) -> str:
        """A file that the attempt may read and not change."""
        return f"{self.code}/readable.txt"

    @property
    def trace(self) -> str:
        """A file in the data folder that only a foreign program writes: it shows that one has run."""
        return f"{self.data}/trace"

    def own(self, name: str) -> str:
        """A path in the attempt's own folder."""
        return f"{self.data}/{name}"


class Attempt:
    """One attempt.

    Args:
        name: its name.
        run: the function; what it returns is its word, or the secret.
        kind: its class.
        takes_word: its word counts.
        is_heavy: it takes a lot of memory, so it runs alone.
        cpu_s: the CPU limit of its cell, where the attempt is about that.
        is_poison: what counts is what the harness has left in the data folder before the start.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Scene], object],
        *,
        kind: Kind,
        takes_word: bool = False,
        is_heavy: bool = False,
        cpu_s: int | None = None,
        is_poison: bool = False,
    ) -> None:
        self.name, self.run, self.kind = name, run, kind
        self.takes_word, self.is_heavy, self.cpu_s, self.is_poison = takes_word, is_heavy, cpu_s, is_poison

    @property
    def target(self) -> str:
        """What a cell is told to run: the module, and the name."""
        return f"{self.run.__module__}:{self.name}"


ATTEMPTS: dict[str, Attempt] = {}
"""The attempts of the modules that were imported, by name."""


def attempt(
    name: str,
    *,
    kind: Kind,
    takes_word: bool = False,
    is_heavy: bool = False,
    cpu_s: int | None = None,
    is_poison: bool = False,
) -> Callable[[Callable[[Scene], object]], Callable[[Scene], object]]:
    """Register a function as an attempt; the arguments are those of `Attempt`."""

    def register(function: Callable[[Scene], object]) -> Callable[[Scene], object]:
        assert name not in ATTEMPTS, name
        ATTEMPTS[name] = Attempt(
            name,
            function,
            kind=kind,
            takes_word=takes_word,
            is_heavy=is_heavy,
            cpu_s=cpu_s,
            is_poison=is_poison,
        )
        return function

    return register
