"""Answers `user/ask`: questions of plugins to the user, one at a time, by whoever has a terminal [P-73]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cellwall_kernel.errors import CallFailed
from cellwall_kernel.prompting.granted import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio import Lock

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import ServiceCall
    from cellwall_wire import AskResult

__all__ = ["AskService", "Asker", "Question"]

KINDS = frozenset({"confirm", "text", "secret", "select"})
MOST_CHOICES = 100
"""Nobody reads a longer list."""

UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a plugin wants to know; every text in it is a stranger's.

    Attributes:
        plugin: the plugin's name.
        kind: confirm, text, secret or select.
        message: the question.
        choices: what can be selected.
        default: what an empty answer stands for; None if it stands for nothing.
    """

    plugin: str
    kind: str
    message: str
    choices: Sequence[str]
    default: str | bool | None


class Asker(Protocol):
    """Shows questions to a person."""

    @property
    def is_possible(self) -> bool:
        """Whether there is somebody to ask."""
        ...

    async def ask(self, question: Question) -> AskResult:
        """Ask, and wait for the answer; may be cancelled."""
        ...


class AskService:
    """Answers the method for all plugins of one command.

    Args:
        paths: the user folder.
        asker: shows the questions; None where nobody can be asked.
    """

    def __init__(self, paths: Paths, asker: Asker | None) -> None:
        self._paths = paths
        self._asker = asker
        self._turn: Lock | None = None

    async def ask(self, call: ServiceCall) -> AskResult:
        """Ask, once all questions before this one are answered.

        Raises:
            CallFailed: the plugin was not granted it, or asks for a choice without choices.
        """
        from anyio import Lock

        from cellwall_wire import AskResult

        require(call, self._paths, "ask")
        params = call.params
        if self._asker is None or not self._asker.is_possible or params.kind not in KINDS:
            return AskResult(action=UNAVAILABLE)
        if params.kind == "select" and not 0 < len(params.choices) <= MOST_CHOICES:
            message = f"a question of the kind 'select' has 1 to {MOST_CHOICES} choices."
            raise CallFailed(call.record.name, message, kind="InvalidParams")
        self._turn = self._turn or Lock()
        with call.paused():
            async with self._turn:
                return await self._asker.ask(
                    Question(
                        plugin=call.record.name,
                        kind=params.kind,
                        message=params.message,
                        choices=params.choices,
                        default=params.default,
                    )
                )
