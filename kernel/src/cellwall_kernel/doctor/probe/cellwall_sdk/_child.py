"""Makes the attempts that the host names, and says of each what came of it: one JSON object a line."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["run"]


def run(target: str, read_fd: int, write_fd: int) -> None:
    """Make attempts, or only say that the cell runs.

    Args:
        target: `hello` to say only that.
        read_fd: where the scene comes from, as a line.
        write_fd: where the outcomes go; one line for each attempt, so that a crash costs only what follows.
    """
    if target == "hello":
        os.write(write_fd, b"{}\n")
        return
    import json

    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(read_fd, 65_536)
        if not piece:
            return
        line += piece
    scene = json.loads(line)
    attempts = all_attempts()
    for name in scene["attempts"]:
        word, text = outcome(attempts[name], scene)
        os.write(write_fd, json.dumps({"name": name, "word": word, "text": text}).encode() + b"\n")


def all_attempts() -> dict[str, Attempt]:
    """Return every attempt by its name."""
    from . import _files, _host, _kernel, _limits, _network, _programs

    parts = (_files, _network, _host, _programs, _kernel, _limits)
    return {name: attempt for part in parts for name, attempt in part.ATTEMPTS.items()}


def outcome(attempt: Attempt, scene: Scene) -> tuple[str, str]:
    """Make an attempt.

    Returns:
        "done", "refused" or "unusable", and what there is to say about it.
    """
    import errno

    from ._scene import Unusable

    try:
        return "done", attempt(scene) or ""
    except MemoryError:
        return "refused", "MemoryError"
    except OSError as error:
        number = error.errno or 0
        if number not in errno.errorcode:
            return "unusable", str(error)
        words = error.strerror or ""
        is_own = words != os.strerror(number)  # the attempt's own
        return "refused", words if is_own else errno.errorcode[number]
    except Unusable as error:
        return "unusable", str(error)
    except Exception as error:  # noqa: BLE001 - one attempt that is wrong must not hide the others
        return "unusable", f"{type(error).__name__}: {error}"
