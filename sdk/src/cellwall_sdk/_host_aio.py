"""`cellwall_sdk.host` for `async` authors: the same functions, none of which blocks the event loop.

Each waits in a thread of its own; a call that is cancelled wakes it.
"""

from __future__ import annotations

from asyncio import to_thread
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from cellwall_wire import Usage

__all__ = ["AsyncHostAnswer", "AsyncStore", "ask", "confirm", "hold", "prompt", "secret", "select", "store"]


class AsyncHostAnswer:
    """As HostAnswer, for `async for`."""

    def __init__(self, answer: host.HostAnswer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[str]:
        """Give the pieces of the text as they come; leaving early cancels the prompt."""
        pieces = iter(self._answer)
        try:
            while (piece := await to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            with suppress(ValueError):  # a thread still waits in it, and is woken by what has ended us
                self._answer.close()

    async def text(self) -> str:
        """Wait for the end and give all of the text."""
        return await to_thread(self._answer.text)

    @property
    def usage(self) -> Usage | None:
        """Tokens used, as far as they are known by now."""
        return self._answer.usage

    @property
    def finish(self) -> str | None:
        """Why the answer ended; None before it has."""
        return self._answer.finish

    @property
    def tool_calls(self) -> list[tuple[str, str]]:
        """The tools that the model asked for: names and arguments as JSON text."""
        return self._answer.tool_calls


def prompt(text: str, **details: Any) -> AsyncHostAnswer:
    """Run a prompt on any model that the user has; arguments as for host.prompt()."""
    return AsyncHostAnswer(host.prompt(text, **details))


async def ask(message: str, *, default: str | None = None) -> str | None:
    """Ask the user for a line of text; as host.ask()."""
    return await to_thread(host.ask, message, default=default)


async def secret(message: str) -> str | None:
    """Ask the user for something that is not shown while it is typed; as host.secret()."""
    return await to_thread(host.secret, message)


async def select(message: str, choices: Sequence[str], *, default: str | None = None) -> str | None:
    """Let the user choose one of `choices`; as host.select()."""
    return await to_thread(host.select, message, choices, default=default)


async def confirm(message: str, *, default: bool = False) -> bool:
    """Ask the user a yes-or-no question; as host.confirm()."""
    return await to_thread(host.confirm, message, default=default)


async def hold(reason: str, seconds: float) -> float:
    """Ask the host not to stop this process while it is idle; as host.hold()."""
    return await to_thread(host.hold, reason, seconds)


class AsyncStore:
    """As Store, to be awaited."""

    async def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a key, or `default` where there is none."""
        return await to_thread(host.store.get, key, default)

    async def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        await to_thread(host.store.set, key, value)

    async def delete(self, key: str) -> None:
        """Forget a key."""
        await to_thread(host.store.delete, key)

    async def keys(self, prefix: str = "") -> list[str]:
        """List the keys that begin with `prefix`, sorted."""
        return await to_thread(host.store.keys, prefix)


store = AsyncStore()
"""The plugin's store."""
