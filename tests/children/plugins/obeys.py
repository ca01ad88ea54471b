"""Does what the prompt says, however bad that is; holds a lifeline from its import on."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl

# settings
LIFELINE = ""
# end of settings

if LIFELINE:
    LINE = os.open(LIFELINE, os.O_WRONLY)
    os.write(LINE, b"plugin\n")

DAEMON = """
import os, sys, time
line = os.open(sys.argv[1], os.O_WRONLY)
os.write(line, b'daemon' + bytes([10]))
time.sleep(300)
"""


def start_daemon() -> None:
    """Start a process that leaves the session and whose parent ends at once."""
    if os.fork() == 0:
        subprocess.Popen([sys.executable, "-c", DAEMON, LIFELINE], start_new_session=True)
        os._exit(0)
    os.wait()


def start_child() -> None:
    """Start a process in the group, deaf to SIGTERM."""
    source = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + DAEMON.replace(
        "daemon", "child"
    )
    subprocess.Popen([sys.executable, "-c", source, LIFELINE])


def ignore_sigterm() -> None:
    """Ignore every polite signal."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def spin() -> None:
    """Never return, in Python code."""
    while True:
        pass


def hold_the_lock() -> None:
    """Never return and never let another thread run: a loop in C that holds the interpreter lock."""
    sum(itertools.repeat(0))


def segfault() -> None:
    """Read where nothing is."""
    import ctypes

    ctypes.string_at(0)


ORDERS: dict[str, Callable[[], object]] = {
    "daemon": start_daemon,
    "child": start_child,
    "deaf": ignore_sigterm,
    "spin": spin,
    "hold": hold_the_lock,
    "segfault": segfault,
    "exit": lambda: os._exit(9),
    "kill keeper": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "stop all": lambda: os.killpg(0, signal.SIGSTOP),
    "sleep": lambda: time.sleep(300),
    "raise": lambda: int("missing"),
    "flood stderr": lambda: [os.write(2, b"x" * 65536) for _ in range(64)],
}


class Zoo(Model):
    """Carries out the orders of the prompt, separated by commas, and says so after each."""

    model_id = "zoo"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Obey."""
        yield "begun"
        for order in filter(None, prompt.prompt.split(",")):
            ORDERS[order]()
            yield f" {order}"


class Count(Model):
    """Streams as many pieces as the prompt says."""

    model_id = "count"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Count."""
        for number in range(int(prompt.prompt)):
            yield f"{number} "


class Keyed(Model):
    """Says its key, which it must ask the host for."""

    model_id = "keyed"
    needs_key = "zoo-key"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Ask for the key."""
        yield f"the key is {self.get_key()}"


@hookimpl
def register_models(register: Any) -> None:
    """Offer the models."""
    register(Zoo())
    register(Count())
    register(Keyed())
