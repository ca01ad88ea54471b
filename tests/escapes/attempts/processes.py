"""Reaching into the host's process: its memory, descriptors, environment, limits and terminal."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import struct
import termios

from ._registry import attempt
from ._system import LIBC, call, needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

PTRACE_PEEKDATA, PTRACE_ATTACH, PTRACE_DETACH = 2, 16, 17
PTRACE_SEIZE = 0x4206
KCMP_FILE = 0
MADV_COLD = 20
IOPRIO_WHO_PROCESS = 1
IDLE_CLASS = 3 << 13
BUFFER_BYTES = 64
LAST_ARGUMENTS = 400


class Span(ctypes.Structure):
    """A piece of memory, as `struct iovec` has it."""

    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


def content(path: str) -> bytes:
    """Read a file."""
    with open(path, "rb") as file:
        return file.read()


@attempt("read_by_host_root", kind="process")
def read_by_host_root(scene: Scene) -> object:
    """Begin the path at the host's root."""
    return content(f"/proc/{scene.host}/root{scene.secret}")


@attempt("read_by_host_working_folder", kind="process")
def read_by_host_working_folder(scene: Scene) -> object:
    """Begin the path at the host's working folder."""
    return content(f"/proc/{scene.host}/cwd/secret.txt")


@attempt("read_by_host_descriptor", kind="process")
def read_by_host_descriptor(scene: Scene) -> object:
    """Open what the host has open."""
    return content(f"/proc/{scene.host}/fd/{scene.host_fd}")


@attempt("read_host_environment", kind="process")
def read_host_environment(scene: Scene) -> object:
    """Read the host's variables."""
    return content(f"/proc/{scene.host}/environ")


@attempt("read_host_command_line", kind="process")
def read_host_command_line(scene: Scene) -> object:
    """Read the host's arguments."""
    return content(f"/proc/{scene.host}/cmdline")


@attempt("list_processes", kind="process")
def list_processes(scene: Scene) -> object:
    """Read everybody's arguments."""
    lines: list[bytes] = []
    for name in os.listdir("/proc"):
        try:
            lines.append(content(f"/proc/{name}/cmdline")[-LAST_ARGUMENTS:])
        except OSError:
            continue
    return lines


@attempt("read_host_memory", kind="process")
def read_host_memory(scene: Scene) -> object:
    """Read the host's memory through its file."""
    return os.pread(os.open(f"/proc/{scene.host}/mem", os.O_RDONLY), BUFFER_BYTES, scene.buffer)


@attempt("write_host_memory", kind="process")
def write_host_memory(scene: Scene) -> None:
    """Write into the host's memory through its file."""
    os.pwrite(os.open(f"/proc/{scene.host}/mem", os.O_RDWR), b"X" * 8, scene.canvas)


@attempt("read_host_memory_map", kind="process", takes_word=True)
def read_host_memory_map(scene: Scene) -> object:
    """Learn where things are in the host's memory."""
    return b"[stack]" in content(f"/proc/{scene.host}/maps")


@attempt("write_host_stdout", kind="process")
def write_host_stdout(scene: Scene) -> None:
    """Speak with the host's voice."""
    os.write(os.open(f"/proc/{scene.host}/fd/{scene.host_pipe}", os.O_WRONLY), b"not the host\n")


@attempt("copy_host_memory", kind="process")
def copy_host_memory(scene: Scene) -> object:
    """Read the host's memory by a system call made for it."""
    room = ctypes.create_string_buffer(BUFFER_BYTES)
    here, there = Span(ctypes.addressof(room), BUFFER_BYTES), Span(scene.buffer, BUFFER_BYTES)
    call("process_vm_readv", scene.host, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return room.raw


@attempt("overwrite_host_memory", kind="process")
def overwrite_host_memory(scene: Scene) -> None:
    """Write into the host's memory by a system call made for it."""
    text = ctypes.create_string_buffer(b"X" * 8)
    here, there = Span(ctypes.addressof(text), 8), Span(scene.canvas, 8)
    call("process_vm_writev", scene.host, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


@attempt("trace_host", kind="process")
def trace_host(scene: Scene) -> object:
    """Stop the host as a debugger does, and read a word."""
    LIBC.ptrace.restype = ctypes.c_long
    LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    needs(LIBC.ptrace(PTRACE_ATTACH, scene.host, None, None))
    os.waitpid(scene.host, 0x40000000)
    words = [LIBC.ptrace(PTRACE_PEEKDATA, scene.host, scene.buffer + 8 * place, None) for place in range(8)]
    needs(LIBC.ptrace(PTRACE_DETACH, scene.host, None, None))
    return struct.pack("8q", *words)


@attempt("seize_host", kind="process", takes_word=True)
def seize_host(scene: Scene) -> object:
    """Begin to trace the host without stopping it."""
    return needs(LIBC.ptrace(PTRACE_SEIZE, scene.host, None, None)) == 0


@attempt("take_host_descriptor", kind="process")
def take_host_descriptor(scene: Scene) -> object:
    """Copy a descriptor out of the host."""
    fd = call("pidfd_getfd", call("pidfd_open", scene.host, 0), scene.host_fd, 0)
    return os.pread(fd, 4096, 0)


@attempt("compare_with_host", kind="process", takes_word=True)
def compare_with_host(scene: Scene) -> object:
    """Learn how the host's descriptors relate to each other."""
    return call("kcmp", scene.host, scene.host, KCMP_FILE, scene.host_fd, scene.host_fd) == 0


@attempt("advise_host_memory", kind="process", takes_word=True)
def advise_host_memory(scene: Scene) -> object:
    """Have the host's memory put aside."""
    there = Span(scene.canvas & ~4095, 4096)
    return (
        call("process_madvise", call("pidfd_open", scene.host, 0), ctypes.byref(there), 1, MADV_COLD, 0) > 0
    )


@attempt("move_host_pages", kind="process", takes_word=True)
def move_host_pages(scene: Scene) -> object:
    """Ask where each page of the host lies."""
    page, status = ctypes.c_void_p(scene.canvas & ~4095), ctypes.c_int(-1)
    call("move_pages", scene.host, 1, ctypes.byref(page), None, ctypes.byref(status), 0)
    return status.value >= 0


@attempt("limit_host", kind="process")
def limit_host(scene: Scene) -> None:
    """Lower a limit of the host's: with none for CPU it would be killed."""
    resource.prlimit(scene.host, resource.RLIMIT_NOFILE, (77, 77))


@attempt("renice_host", kind="process")
def renice_host(scene: Scene) -> None:
    """Make the host slow."""
    os.setpriority(os.PRIO_PROCESS, scene.host, 7)


@attempt("schedule_host", kind="process")
def schedule_host(scene: Scene) -> None:
    """Let the host run only when nobody else wants to."""
    os.sched_setscheduler(scene.host, os.SCHED_IDLE, os.sched_param(0))


@attempt("pin_host", kind="process", takes_word=True)
def pin_host(scene: Scene) -> object:
    """Confine the host to one processor."""
    os.sched_setaffinity(scene.host, {min(os.sched_getaffinity(scene.host))})
    return len(os.sched_getaffinity(scene.host)) == 1


@attempt("starve_host_disk", kind="process")
def starve_host_disk(scene: Scene) -> None:
    """Put the host last in the queue for the disk."""
    call("ioprio_set", IOPRIO_WHO_PROCESS, scene.host, IDLE_CLASS)


@attempt("sacrifice_host", kind="process")
def sacrifice_host(scene: Scene) -> None:
    """Have the host killed first when memory is short."""
    os.write(os.open(f"/proc/{scene.host}/oom_score_adj", os.O_WRONLY), b"777")


@attempt("join_host_group", kind="process", takes_word=True)
def join_host_group(scene: Scene) -> object:
    """Become a member of the host's process group, whose signals would then be shared."""
    os.setpgid(0, scene.host_group)
    return os.getpgrp() == scene.host_group


@attempt("type_into_terminal", kind="process", takes_word=True)
def type_into_terminal(scene: Scene) -> object:
    """Type into the terminal that the user sits at."""
    for character in b"\n":
        fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), termios.TIOCSTI, bytes([character]))
    return True


@attempt("type_into_terminal_past_a_filter", kind="process", takes_word=True)
def type_into_terminal_past_a_filter(scene: Scene) -> object:
    """Likewise with high bits set in the request, which the kernel ignores and careless filters compare."""
    LIBC.ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p)
    terminal = os.open("/dev/tty", os.O_RDWR)
    return needs(LIBC.ioctl(terminal, termios.TIOCSTI | 1 << 40, b"\n")) == 0


@attempt("type_by_virtual_console", kind="process", takes_word=True)
def type_by_virtual_console(scene: Scene) -> object:
    """Paste into a console: a terminal says that it is none, and not that it is forbidden."""
    try:
        fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x541C, b"\x03")
    except OSError as error:
        if error.errno in {22, 25}:
            return True
        raise
    return True


@attempt("write_to_terminal", kind="process")
def write_to_terminal(scene: Scene) -> None:
    """Write to the terminal that the host was started at."""
    os.write(os.open("/dev/tty", os.O_WRONLY), f"{scene.mark}\n".encode())


@attempt("take_terminal_back", kind="process", takes_word=True)
def take_terminal_back(scene: Scene) -> object:
    """Make a terminal of the user's its own. The leader of a group cannot; its child can."""
    fd = os.open(scene.terminal, os.O_RDWR)
    if os.getpid() != os.getpgrp():
        take_terminal(fd)
        return True
    child = os.fork()
    if child == 0:
        try:
            take_terminal(fd)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def take_terminal(fd: int) -> None:
    """Lead a session of one's own, at a terminal."""
    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


@attempt("keys_in_environment", kind="process")
def keys_in_environment(scene: Scene) -> object:
    """Find keys among the variables."""
    return dict(os.environ)


@attempt("keys_in_first_environment", kind="process")
def keys_in_first_environment(scene: Scene) -> object:
    """Find keys in the block that the process was started with: what was deleted later still stands there."""
    return content("/proc/self/environ")


@attempt("keys_in_parent_environment", kind="process")
def keys_in_parent_environment(scene: Scene) -> object:
    """Find keys in the block that the parent was started with."""
    return content(f"/proc/{os.getppid()}/environ")


@attempt("interpreter_variables", kind="process", takes_word=True)
def interpreter_variables(scene: Scene) -> object:
    """Find variables that steer the interpreter or the loader passed on."""
    return [name for name in os.environ if name.startswith("PYTHON") or name in {"LD_PRELOAD", "LD_AUDIT"}]
