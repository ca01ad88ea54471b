"""What plugins may call while they answer: the services of the host, put together for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cellwall_kernel.prompting.asking import AskService
from cellwall_kernel.prompting.stored import StoreService

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.asking import Asker
    from cellwall_kernel.prompting.keys import KeyService
    from cellwall_kernel.session import Handler

__all__ = ["services"]


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
