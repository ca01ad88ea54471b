"""What carries the bytes between the kit's host and the plugin: the three kinds have this in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Closing", "Transport"]

Closing = str
"""How the plugin ended, as the end of the sentence "the plugin …"."""


class Transport(Protocol):
    """The way to a plugin.

    Attributes:
        name: memory, child or recorded.
    """

    name: str

    def begin(self, take: Callable[[bytes], None]) -> None:
        """Start the plugin; whatever it writes goes to `take`, and empty bytes at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Hand bytes to the plugin; never waits."""
        ...

    def pump(self, until: float | None) -> None:
        """Let the plugin go on, until something has come.

        Args:
            until: the moment of `time.monotonic()` to give up at; None to wait for ever.

        Raises:
            TimeoutError: nothing came.
        """
        ...

    def printed(self) -> str:
        """Give the last of what the plugin printed, as far as it was not printed here."""
        ...

    def ending(self) -> Closing:
        """Say how the plugin ended, once it has."""
        ...

    def end(self) -> None:
        """Let the plugin end, or end it; afterwards nothing of it is left."""
        ...
