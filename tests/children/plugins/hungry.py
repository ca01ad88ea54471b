"""Takes more than it may, of whatever the prompt names; then it waits to be stopped."""

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cellwall_sdk import Model, hookimpl

# settings
LIFELINE = ""
AT_IMPORT = ""
# end of settings

MIB = 1 << 20
KEPT: list[Any] = []

if LIFELINE:
    LINE = os.open(LIFELINE, os.O_WRONLY)
    os.write(LINE, b"plugin\n")


def private_memory() -> None:
    """Take memory of its own until there is none."""
    while True:
        KEPT.append(bytearray(8 * MIB))


def shared_memory() -> None:
    """Take memory that no limit of a process counts."""
    shared = mmap.mmap(-1, 160 * MIB)
    for start in range(0, len(shared), mmap.PAGESIZE):
        shared[start] = 1
    KEPT.append(shared)


def file_in_memory() -> None:
    """Fill a file that is only in memory, and map none of it."""
    fd = os.memfd_create("hungry")
    for _ in range(160):
        os.write(fd, bytes(MIB))


def private_folders() -> None:
    """Fill the folders of memory that a namespace has."""
    for number in range(160):
        Path(f"/dev/shm/{number}").write_bytes(bytes(MIB))


def small_children() -> None:
    """Start children that take little each, and a lot together."""
    source = "import time; kept = bytearray(40 << 20); time.sleep(300)"
    KEPT.extend(subprocess.Popen([sys.executable, "-c", source]) for _ in range(5))


def forked_children() -> None:
    """Share a lot with children that were forked: all of them together take hardly more."""
    KEPT.append(os.urandom(30 * MIB))
    for _ in range(6):
        if os.fork() == 0:
            time.sleep(300)


def mapped_weights() -> None:
    """Map a large file and touch every page of it."""
    path = Path(os.environ["HOME"]) / "weights"
    with path.open("wb") as file:
        for _ in range(160):
            file.write(bytes(MIB))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    KEPT.append(sum(mapped[start] for start in range(0, len(mapped), mmap.PAGESIZE)))
    KEPT.append(mapped)


def threads() -> None:
    """Start threads that wait."""
    for _ in range(60):
        threading.Thread(target=time.sleep, args=(300,), daemon=True).start()


def children() -> None:
    """Start children in sessions of their own that wait, and hold the line."""
    command = ["/bin/sleep", "300"]
    KEPT.extend(subprocess.Popen(command, start_new_session=True, pass_fds=[LINE]) for _ in range(30))


def processor_time() -> None:
    """Use the processor and nothing else."""
    while True:
        pass


def large_file() -> None:
    """Write more than fits into one file."""
    with Path("large").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MIB))


def large_file_without_python() -> None:
    """Do it as a program does that leaves the signal alone."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    large_file()


def many_files() -> None:
    """Fill the folder with files, each as large as it may be."""
    for number in range(20):
        Path(f"{number}").write_bytes(bytes(MIB))


def temporary_files() -> None:
    """Fill the other folder."""
    for _ in range(20):
        Path(tempfile.mkstemp()[1]).write_bytes(bytes(MIB))


def deleted_files() -> None:
    """Fill the disk with files that no folder shows."""
    for number in range(20):
        file = Path(f"{number}").open("wb")  # noqa: SIM115 - it stays open
        Path(f"{number}").unlink()
        file.write(bytes(MIB))
        file.flush()
        KEPT.append(file)


def empty_files() -> None:
    """Make files without an end, with nothing in them."""
    number = 0
    while True:
        number += 1
        os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY))


def open_files() -> None:
    """Open one file again and again; all are closed when that fails."""
    with contextlib.ExitStack() as files:
        while True:
            files.enter_context(Path(os.devnull).open("rb"))


def open_files_for_good() -> None:
    """Open one file again and again, and close none."""
    while True:
        os.open(os.devnull, os.O_RDONLY)


def flood_the_wire() -> None:
    """Write one endless line to every pipe beyond the usual three: one of them is the wire."""
    for fd in range(3, 20):
        with contextlib.suppress(OSError):
            while True:
                os.write(fd, b"x" * MIB)


def flood_messages() -> None:
    """Print a lot, with words that steer a terminal among it."""
    for _ in range(64):
        os.write(2, b"x" * 65536)
    os.write(2, b"\n\x1b]0;hijacked\x07\x1b[2Jlast words\x9b31m\n")


def abort_for_want_of_memory() -> None:
    """End as a program in C++ does that gets no memory."""
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def tell_limits() -> str:
    """Say which limits there are for open files and core files."""
    import resource

    return f"{resource.getrlimit(resource.RLIMIT_NOFILE)} {resource.getrlimit(resource.RLIMIT_CORE)}"


class Hungry(Model):
    """Does what the prompt names; with "then wait" it does not come to an end by itself."""

    model_id = "zoo"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Take."""
        name, _, waits = prompt.prompt.partition(" then ")
        said = globals()[name]()
        yield said or "done"
        if waits:
            time.sleep(300)


if AT_IMPORT:
    globals()[AT_IMPORT]()


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(Hungry())
