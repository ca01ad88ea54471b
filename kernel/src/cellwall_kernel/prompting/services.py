"""What plugins may call while they answer: the services of the host, put together for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cellwall_kernel.prompting.asking import AskService
from cellwall_kernel.prompting.stored import StoreService

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.asking import Asker
    from cellwall_kernel.prompting.keys import KeyService
    from cellwall_kernel.prompting.nested import NestedPrompts
    from cellwall_kernel.session import Handler, ServiceCall
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import PromptResult

__all__ = ["PromptsOfPlugins", "services"]


@contextmanager
def services(paths: Paths, keys: KeyService, *, asker: Asker | None = None) -> Generator[dict[str, Handler]]:
    """Yield method -> what answers it; the supervisor adds `plugin/hold`, who can run prompts `host/prompt`.

    Args:
        paths: the user folder.
        keys: knows who may have which key.
        asker: shows questions; None where nobody can be asked.
    """
    store = StoreService(paths)
    try:
        yield {
            "keys/get": keys.get,
            **store.handlers,
            "user/ask": AskService(paths, asker).ask,
        }
    finally:
        store.close()


class PromptsOfPlugins:
    """Answers `host/prompt`; loads what that needs when the first plugin asks, since few ever do.

    Args:
        make: makes what answers, given the supervisor of the command.
    """

    def __init__(self, make: Callable[[Supervisor], NestedPrompts]) -> None:
        self._make = make
        self._supervisor: Supervisor | None = None
        self._nested: NestedPrompts | None = None

    def serve(self, supervisor: Supervisor) -> None:
        """Run the prompts with a supervisor, which exists only after its services do."""
        self._supervisor = supervisor

    async def answer(self, call: ServiceCall) -> PromptResult:
        """Run a prompt for a plugin; raises as NestedPrompts.answer()."""
        if self._nested is None:
            if self._supervisor is None:
                raise RuntimeError("there is no supervisor yet")
            self._nested = self._make(self._supervisor)
        return await self._nested.answer(call)
