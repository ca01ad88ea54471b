"""Writes to its standard output in every way there is, while it is imported; reads its input, too."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl

print("printed by print")
os.write(1, b"printed by os.write\n")
LIBC = ctypes.CDLL(None)
LIBC.printf(b"printed by printf of C\n")
LIBC.fflush(None)
subprocess.run(["/bin/sh", "-c", "echo printed by a grandchild"], check=True)
READ = sys.stdin.read()


class Zoo(Model):
    """Says what it could read."""

    model_id = "zoo"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        print("printed in execute")
        yield f"read {len(READ)} characters"


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(Zoo())
