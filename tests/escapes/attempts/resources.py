"""Taking more of the machine than one's share. Every amount is bounded, and given back at once."""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
import signal
import threading
import time

from ._registry import attempt
from ._system import LIBC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

MEMORY = 1280 << 20
"""More memory than a cell may have (1 GB), and little enough for a machine with 4 GB (bytes)."""

STEP = 32 << 20
"""How much is touched at a time (bytes)."""

PROCESSES = 150
THREADS = 1500
FILES = 1000
BIG_FILE = 2 << 30
CPU_S = 2.0


def touch(memory: mmap.mmap) -> None:
    """Make the kernel find a page for each piece."""
    for start in range(0, len(memory), 4096):
        memory[start] = 1


@attempt("many_processes", kind="resources", takes_word=True)
def many_processes(scene: Scene) -> object:
    """Fork until it is refused."""
    children: list[int] = []
    reads, writes = os.pipe()
    try:
        while len(children) < PROCESSES:
            child = os.fork()
            if child == 0:
                os.close(writes)
                os.read(reads, 1)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return len(children) == PROCESSES


@attempt("many_threads", kind="resources", takes_word=True)
def many_threads(scene: Scene) -> object:
    """Start threads until it is refused."""
    threading.stack_size(65_536)
    is_over = threading.Event()
    started = 0
    try:
        for _ in range(THREADS):
            threading.Thread(target=is_over.wait, daemon=True).start()
            started += 1
    finally:
        is_over.set()
    return started == THREADS


@attempt("much_memory", kind="resources", takes_word=True, is_heavy=True)
def much_memory(scene: Scene) -> object:
    """Take memory as a list of large texts does."""
    held: list[mmap.mmap] = []
    for _ in range(MEMORY // STEP):
        held.append(mmap.mmap(-1, STEP, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        touch(held[-1])
    return len(held) * STEP == MEMORY


@attempt("much_memory_in_bytes", kind="resources", takes_word=True, is_heavy=True)
def much_memory_in_bytes(scene: Scene) -> object:
    """Take memory in one long string."""
    return len(b"x" * MEMORY) == MEMORY


@attempt("much_shared_memory", kind="host guard", takes_word=True, is_heavy=True)
def much_shared_memory(scene: Scene) -> object:
    """Take memory that is meant to be shared, which no limit of the process counts."""
    shared = mmap.mmap(-1, MEMORY)
    touch(shared)
    return len(shared) == MEMORY


@attempt("much_memory_as_a_file", kind="resources", takes_word=True, is_heavy=True)
def much_memory_as_a_file(scene: Scene) -> object:
    """Take memory in files without a name."""
    files = [os.memfd_create(f"memory {number}") for number in range(2)]
    for file in files:
        for _ in range(MEMORY // STEP // 2):
            os.write(file, b"x" * STEP)
    return sum(os.fstat(file).st_size for file in files) == MEMORY


@attempt("much_memory_in_shared_folder", kind="resources", takes_word=True, is_heavy=True)
def much_memory_in_shared_folder(scene: Scene) -> object:
    """Take memory in files in the folder that is made of it."""
    names = [f"/dev/shm/{scene.mark}-{number}" for number in range(2)]
    try:
        for name in names:
            with open(name, "wb", buffering=0) as file:
                file.writelines(b"x" * STEP for _ in range(MEMORY // STEP // 2))
        return sum(os.stat(name).st_size for name in names) == MEMORY
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(name)


@attempt("big_file", kind="resources", takes_word=True)
def big_file(scene: Scene) -> object:
    """Write a file larger than one may be; it is empty but for its last byte."""
    with open(scene.own("big"), "wb", buffering=0) as file:
        file.seek(BIG_FILE)
        file.write(b"x")
        size = os.fstat(file.fileno()).st_size
        os.unlink(scene.own("big"))
    return size > BIG_FILE


@attempt("big_file_by_reserving", kind="resources", takes_word=True)
def big_file_by_reserving(scene: Scene) -> object:
    """Have the size of a file set."""
    with open(scene.own("big"), "wb", buffering=0) as file:
        os.ftruncate(file.fileno(), BIG_FILE)
        size = os.fstat(file.fileno()).st_size
        os.unlink(scene.own("big"))
    return size == BIG_FILE


@attempt("many_files", kind="host guard", takes_word=True)
def many_files(scene: Scene) -> object:
    """Fill the own folder with small files."""
    for number in range(2000):
        with open(scene.own(f"file-{number}"), "w", encoding="ascii") as file:
            file.write("x")
    return True


@attempt("many_descriptors", kind="resources", takes_word=True)
def many_descriptors(scene: Scene) -> object:
    """Open one file again and again."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return len([os.open("/dev/null", os.O_RDONLY) for _ in range(FILES)]) == FILES


@attempt("raise_own_limits", kind="resources", takes_word=True)
def raise_own_limits(scene: Scene) -> object:
    """Lift the limits on memory, on files and on what a crash leaves behind."""
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


@attempt("raise_own_limits_by_number", kind="resources", takes_word=True)
def raise_own_limits_by_number(scene: Scene) -> object:
    """Likewise, by the call that can also do it to others."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(os.getpid(), resource.RLIMIT_AS, unlimited)
    return resource.getrlimit(resource.RLIMIT_AS) == unlimited


@attempt("leave_a_core", kind="resources", takes_word=True)
def leave_a_core(scene: Scene) -> object:
    """Crash so that all memory, keys included, lands in a file: with a limit of zero it does not."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    return hard != 0 and LIBC.prctl(3, 0, 0, 0, 0) == 1


@attempt("burn_processor", kind="resources", takes_word=True, cpu_s=1)
def burn_processor(scene: Scene) -> object:
    """Compute for longer than allowed."""
    while time.process_time() < CPU_S:
        pass
    return True


@attempt("favour_oneself", kind="resources", takes_word=True)
def favour_oneself(scene: Scene) -> object:
    """Go before everybody else, as root can."""
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return os.getpriority(os.PRIO_PROCESS, 0) < 0


@attempt("be_the_last_to_be_killed", kind="resources", takes_word=True)
def be_the_last_to_be_killed(scene: Scene) -> object:
    """Let everybody else be killed first when memory is short."""
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as score:
        score.write("-500")
    with open("/proc/self/oom_score_adj", encoding="ascii") as score:
        return int(score.read()) == -500


@attempt("hold_memory_in_place", kind="resources", takes_word=True)
def hold_memory_in_place(scene: Scene) -> object:
    """Have so much memory kept from being swapped that others have none: more than an ordinary user may."""
    memory = mmap.mmap(-1, 96 << 20)
    pinned = LIBC.mlockall(1)
    memory.close()
    return pinned == 0


@attempt("flood_output", kind="host guard", takes_word=True)
def flood_output(scene: Scene) -> object:
    """Write without end and without a line's end; bounded here by 16 MB."""
    for _ in range(256):
        os.write(2, b"x" * 65_536)
    return True
