"""Calls of the C library and of the system, without `ctypes` and its 3 ms; for the cell and for the host."""

from __future__ import annotations

import _ctypes
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    SimpleInt = _ctypes._SimpleCData[int]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no other name
    SimpleBytes = _ctypes._SimpleCData[bytes]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
else:  # the class takes a parameter for type checkers only
    SimpleInt = SimpleBytes = _ctypes._SimpleCData  # noqa: SLF001

__all__ = ["LINUX", "Function", "Long", "array_of", "call_c", "prctl", "system_call"]

LINUX = sys.platform == "linux"


class Long(SimpleInt):
    """A C long, as `ctypes.c_long`, without the three milliseconds that `ctypes` takes to load."""

    _type_ = "l"


class Function(_ctypes.CFuncPtr):
    """A function of the C library that returns a long and sets errno."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = Long


def call_c(name: str, *arguments: int | bytes | None) -> int:
    """Call a function of the C library.

    Args:
        name: the function.
        arguments: numbers are passed as longs, bytes by their address (a function may write into them; who
            lets it must hold them alone), None is a null pointer.

    Returns:
        what it returned, or -errno if that was -1.
    """
    function = Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), name))  # type: ignore[arg-type]  # None is this process
    result: int = function(*(Long(value) if isinstance(value, int) else value for value in arguments))
    return result if result != -1 else -_ctypes.get_errno()


def system_call(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by its number; arguments and result as for `call_c`."""
    return call_c("syscall", number, *arguments)


def prctl(option: int, value: int) -> int:
    """Set an attribute of this process, on Linux; returns 0, or -errno if that is refused."""
    return call_c("prctl", option, value, 0, 0, 0) if LINUX else 0


class Char(SimpleBytes):
    """A C char, as `ctypes.c_char`."""

    _type_ = "c"


def array_of(content: bytes) -> Any:
    """Return a C array that holds `content`; its address (`_ctypes.addressof`) counts as long as it lives."""
    kind: Any = type("Bytes", (_ctypes.Array,), {"_type_": Char, "_length_": len(content)})
    return kind.from_buffer_copy(content)
