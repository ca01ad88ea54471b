"""Disturbing the host by signals: by every call that sends one, and those that make the kernel do it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import struct

from ._registry import attempt
from ._system import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

F_SETOWN_EX = 15
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902
SIGNALS_BY_QUEUE = -1


def provoke(line: socket.socket, other: socket.socket) -> None:
    """Let something arrive at a line that reports by a signal."""
    flags = fcntl.fcntl(line, fcntl.F_GETFL)
    fcntl.fcntl(line, fcntl.F_SETFL, flags | fcntl.FASYNC)
    other.send(b"x")
    select.select([line], [], [], 1)


@attempt("kill_host", kind="process")
def kill_host(scene: Scene) -> None:
    """End the host."""
    os.kill(scene.host, signal.SIGKILL)


@attempt("stop_host", kind="process")
def stop_host(scene: Scene) -> None:
    """Stop the host."""
    os.kill(scene.host, signal.SIGSTOP)


@attempt("signal_host", kind="process")
def signal_host(scene: Scene) -> None:
    """Send it a signal that it handles."""
    os.kill(scene.host, signal.SIGUSR1)


@attempt("probe_host", kind="process", takes_word=True)
def probe_host(scene: Scene) -> object:
    """Learn by the empty signal that the host may be signalled."""
    os.kill(scene.host, 0)
    return True


@attempt("signal_thread_of_host", kind="process")
def signal_thread_of_host(scene: Scene) -> None:
    """Signal one thread of the host."""
    call("tgkill", scene.host, scene.host, signal.SIGUSR1)


@attempt("signal_thread_by_old_call", kind="process")
def signal_thread_by_old_call(scene: Scene) -> None:
    """Likewise, by the call that was there before."""
    call("tkill", scene.host, signal.SIGUSR1)


@attempt("signal_by_process_descriptor", kind="process")
def signal_by_process_descriptor(scene: Scene) -> None:
    """Signal the host through a descriptor of its process."""
    call("pidfd_send_signal", call("pidfd_open", scene.host, 0), signal.SIGUSR1, None, 0)


@attempt("signal_by_proc_descriptor", kind="process")
def signal_by_proc_descriptor(scene: Scene) -> None:
    """Likewise, through its folder in /proc, which serves as such a descriptor."""
    folder = os.open(f"/proc/{scene.host}", os.O_RDONLY | os.O_DIRECTORY)
    call("pidfd_send_signal", folder, signal.SIGUSR1, None, 0)


@attempt("queue_signal", kind="process")
def queue_signal(scene: Scene) -> None:
    """Signal the host with a message of one's own."""
    info = ctypes.create_string_buffer(struct.pack("iii", signal.SIGUSR1, 0, SIGNALS_BY_QUEUE), 128)
    call("rt_sigqueueinfo", scene.host, signal.SIGUSR1, info)


@attempt("queue_signal_to_thread", kind="process")
def queue_signal_to_thread(scene: Scene) -> None:
    """Likewise, to one thread of it."""
    info = ctypes.create_string_buffer(struct.pack("iii", signal.SIGUSR1, 0, SIGNALS_BY_QUEUE), 128)
    call("rt_tgsigqueueinfo", scene.host, scene.host, signal.SIGUSR1, info)


@attempt("signal_past_a_filter", kind="process")
def signal_past_a_filter(scene: Scene) -> None:
    """Signal with high bits set in the number, which the kernel ignores and careless filters compare."""
    call("kill", scene.host | 1 << 32, signal.SIGUSR1)


@attempt("signal_everybody", kind="process", takes_word=True)
def signal_everybody(scene: Scene) -> object:
    """Send to all processes of the user; the empty signal, which says whether another would arrive."""
    os.kill(-1, 0)
    return True


@attempt("signal_group_of_host", kind="process", takes_word=True)
def signal_group_of_host(scene: Scene) -> object:
    """Send the empty signal to the host's whole group."""
    os.killpg(scene.host_group, 0)
    return True


@attempt("signal_by_owned_line", kind="process")
def signal_by_owned_line(scene: Scene) -> None:
    """Make the host the owner of a line; the kernel signals it when something arrives."""
    with line_and_other() as (line, other):
        fcntl.fcntl(line, fcntl.F_SETOWN, scene.host)
        provoke(line, other)


@attempt("signal_by_owned_line_past_a_filter", kind="process")
def signal_by_owned_line_past_a_filter(scene: Scene) -> None:
    """Likewise, with high bits set in the request."""
    with line_and_other() as (line, other):
        call("fcntl", line.fileno(), fcntl.F_SETOWN | 1 << 32, scene.host)
        provoke(line, other)


@attempt("signal_by_owned_line_of_choice", kind="process")
def signal_by_owned_line_of_choice(scene: Scene) -> None:
    """Likewise, by the younger request, and with a signal of one's choice."""
    with line_and_other() as (line, other):
        fcntl.fcntl(line, F_SETOWN_EX, struct.pack("ii", 1, scene.host))
        fcntl.fcntl(line, 10, signal.SIGUSR1)  # F_SETSIG
        provoke(line, other)


@attempt("signal_by_owned_socket", kind="process")
def signal_by_owned_socket(scene: Scene) -> None:
    """Likewise, by the request that sockets had first."""
    with line_and_other() as (line, other):
        fcntl.ioctl(line, FIOSETOWN, struct.pack("i", scene.host))
        provoke(line, other)


@attempt("signal_by_socket_group", kind="process")
def signal_by_socket_group(scene: Scene) -> None:
    """Likewise, by the other name of that request."""
    with line_and_other() as (line, other):
        fcntl.ioctl(line, SIOCSPGRP, struct.pack("i", scene.host))
        provoke(line, other)


@attempt("signal_by_owned_pipe", kind="process")
def signal_by_owned_pipe(scene: Scene) -> None:
    """Likewise, with a pipe, which needs no socket at all."""
    reads, writes = os.pipe()
    fcntl.fcntl(reads, fcntl.F_SETOWN, scene.host)
    fcntl.fcntl(reads, fcntl.F_SETFL, fcntl.fcntl(reads, fcntl.F_GETFL) | fcntl.FASYNC)
    os.write(writes, b"x")
    select.select([reads], [], [], 1)


@attempt("signal_by_watched_folder", kind="process")
def signal_by_watched_folder(scene: Scene) -> None:
    """Likewise, with a folder whose changes are reported by a signal."""
    folder = os.open(scene.data, os.O_RDONLY)
    fcntl.fcntl(folder, fcntl.F_SETOWN, scene.host)
    fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_CREATE)
    os.close(os.open(scene.own("new"), os.O_CREAT | os.O_WRONLY, 0o600))


@attempt("signal_keeper", kind="process", takes_word=True)
def signal_keeper(scene: Scene) -> object:
    """Learn by the empty signal that the process above, which would end this one, may be signalled."""
    os.kill(os.getppid(), 0)
    return True


def line_and_other() -> Pair:
    """Make two ends of one line, without a network."""
    return Pair()


class Pair:
    """Two ends of one line; a context manager."""

    def __init__(self) -> None:
        self.ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> tuple[socket.socket, socket.socket]:
        return self.ends

    def __exit__(self, *_: object) -> None:
        for end in self.ends:
            end.close()
