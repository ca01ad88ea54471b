"""Talking to services of the user that listen at a path or a name: agents, containers, the desktop's bus."""

from __future__ import annotations

import os
import socket

from ._registry import attempt
from ._system import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

WORD = b"plugin was here"


def say(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Say a word at a socket."""
    with socket.socket(socket.AF_UNIX, kind) as line:
        line.settimeout(2)
        line.connect(address)
        line.send(WORD)


@attempt("unix_stream", kind="services")
def unix_stream(scene: Scene) -> None:
    """Connect to a socket by its path."""
    say(f"{scene.home}/agent.sock")


@attempt("unix_stream_by_symlink", kind="services")
def unix_stream_by_symlink(scene: Scene) -> None:
    """Likewise through a link in the own folder."""
    os.symlink(f"{scene.home}/agent.sock", scene.own("agent"))
    say(scene.own("agent"))


@attempt("unix_stream_from_within", kind="services")
def unix_stream_from_within(scene: Scene) -> None:
    """Likewise by its bare name, from its folder."""
    os.chdir(scene.home)
    say("agent.sock")


@attempt("unix_datagram", kind="services")
def unix_datagram(scene: Scene) -> None:
    """Send to a socket by its path."""
    say(f"{scene.home}/notify.sock", socket.SOCK_DGRAM)


@attempt("unix_sequenced", kind="services")
def unix_sequenced(scene: Scene) -> None:
    """Connect to a socket of the third kind."""
    say(f"{scene.home}/packets.sock", socket.SOCK_SEQPACKET)


@attempt("unix_abstract", kind="services")
def unix_abstract(scene: Scene) -> None:
    """Connect to a socket that no file stands for."""
    say("\0" + scene.abstract)


@attempt("unix_datagram_by_pair", kind="services")
def unix_datagram_by_pair(scene: Scene) -> None:
    """Send from one of a pair, for which socket() is not called."""
    one, _other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(WORD, f"{scene.home}/notify.sock")


@attempt("unix_datagram_by_raw_pair", kind="services")
def unix_datagram_by_raw_pair(scene: Scene) -> None:
    """Likewise with the kind that is quietly made a datagram one."""
    one, _other = socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)
    one.sendto(WORD, f"{scene.home}/notify.sock")


@attempt("unix_datagram_by_connected_pair", kind="services")
def unix_datagram_by_connected_pair(scene: Scene) -> None:
    """Likewise, connecting one of the pair anew."""
    one, _other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.connect(f"{scene.home}/notify.sock")
    one.send(WORD)


@attempt("unix_past_a_filter", kind="services")
def unix_past_a_filter(scene: Scene) -> None:
    """Connect with high bits set in the family, which the kernel ignores and careless filters compare."""
    fd = call("socket", socket.AF_UNIX | 1 << 32, socket.SOCK_STREAM, 0)
    with socket.socket(fileno=fd) as line:
        line.connect(f"{scene.home}/agent.sock")
        line.send(WORD)


@attempt("unix_listen_abstract", kind="services", takes_word=True)
def unix_listen_abstract(scene: Scene) -> object:
    """Take a name at which programs of the user would look for a service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        name = f"\0{scene.mark}"
        line.bind(name)
        line.listen()
        return line.getsockname() == name.encode()  # a socket that is bound elsewhere serves nobody


@attempt("ssh_agent", kind="services")
def ssh_agent(scene: Scene) -> None:
    """Ask the agent that a variable names to sign."""
    say(os.environ.get("SSH_AUTH_SOCK", f"{scene.home}/ssh/agent.sock"))


@attempt("docker", kind="services")
def docker(scene: Scene) -> None:
    """Ask the service that starts containers, which is as good as root."""
    say(os.environ.get("DOCKER_HOST", f"unix://{scene.home}/docker.sock").removeprefix("unix://"))


@attempt("desktop_bus", kind="services")
def desktop_bus(scene: Scene) -> None:
    """Ask the desktop's bus to start a program."""
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", f"unix:path={scene.home}/bus.sock")
    say(address.removeprefix("unix:path="))


@attempt("display_server", kind="services")
def display_server(scene: Scene) -> None:
    """Connect to the display by its abstract name, as one does who wants to see what is typed."""
    say(f"\0{scene.abstract}")
