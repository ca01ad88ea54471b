"""What plugins may call while they answer: the services of the host, put together for one command."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from msgspec import Struct

    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.config import Config
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.asking import Asker
    from cellwall_kernel.prompting.keys import KeyService
    from cellwall_kernel.prompting.log import PromptLog
    from cellwall_kernel.prompting.nested import NestedPrompts
    from cellwall_kernel.session import Handler, ServiceCall
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import PromptResult

__all__ = ["PromptsOfPlugins", "services"]


STORED = ("store/get", "store/set", "store/delete", "store/list")
"""The methods of the store."""


@contextmanager
def services(paths: Paths, keys: KeyService, *, asker: Asker | None = None) -> Generator[dict[str, Handler]]:
    """Yield method -> what answers it; the supervisor adds `plugin/hold`, who can run prompts `host/prompt`.

    What few plugins ask for is loaded when the first one does.

    Args:
        paths: the user folder.
        keys: knows who may have which key.
        asker: shows questions; None where nobody can be asked.
    """
    with ExitStack() as things:

        @cache
        def store() -> dict[str, Handler]:
            from cellwall_kernel.prompting.stored import StoreService

            service = StoreService(paths)
            things.callback(service.close)
            return service.handlers

        @cache
        def question() -> Handler:
            from cellwall_kernel.prompting.asking import AskService

            return AskService(paths, asker).ask

        async def ask(call: ServiceCall) -> Struct:
            return await question()(call)

        def stored(method: str) -> Handler:
            async def answer(call: ServiceCall) -> Struct:
                return await store()[method](call)

            return answer

        yield {"keys/get": keys.get, "user/ask": ask, **{method: stored(method) for method in STORED}}


class PromptsOfPlugins:
    """Answers `host/prompt`; loads what that needs when the first plugin asks, since few ever do.

    Args:
        paths: as for NestedPrompts; likewise the others.
        catalogue: as above.
        config: as above.
        keys: as above.
        log: as above.
        notes: as above.
    """

    def __init__(
        self,
        paths: Paths,
        catalogue: Catalogue,
        config: Config,
        *,
        keys: KeyService,
        log: PromptLog,
        notes: list[str],
    ) -> None:
        self._supervisor: Supervisor | None = None

        @cache
        def nested(supervisor: Supervisor) -> NestedPrompts:
            from cellwall_kernel.prompting.nested import NestedPrompts

            return NestedPrompts(
                paths, catalogue, config, keys=keys, log=log, notes=notes, supervisor=supervisor
            )

        self._nested = nested

    def serve(self, supervisor: Supervisor) -> None:
        """Run the prompts with a supervisor, which exists only after its services do."""
        self._supervisor = supervisor

    async def answer(self, call: ServiceCall) -> PromptResult:
        """Run a prompt for a plugin; raises as NestedPrompts.answer()."""
        if self._supervisor is None:
            raise RuntimeError("there is no supervisor yet")
        return await self._nested(self._supervisor).answer(call)
