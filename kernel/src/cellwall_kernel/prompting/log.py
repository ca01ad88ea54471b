"""The log as one prompt sees it: written, or kept in memory for `--json`, or not at all.

A log that fails while the answer arrives does not cost the answer: it is said once, what could not be
written is kept by the store for a later try, and the failure is the prompt's outcome only if the answer
itself was well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.errors import StoreProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.store import LoggedResponse, Outcome, PromptRow, Store
    from cellwall_wire import Item, UnknownItem

__all__ = ["PromptLog"]


class PromptLog:
    """Where one prompt and its answer are kept.

    Args:
        store: the log; None keeps nothing.
        is_kept: whether it outlives this process.
    """

    def __init__(self, store: Store | None, *, is_kept: bool) -> None:
        self._store = store
        self._is_kept = is_kept
        self._response_id = ""
        self._conversation_id = ""
        self.problem: StoreProblem | None = None

    @classmethod
    def open(cls, paths: Paths, *, is_kept: bool, wants_record: bool) -> PromptLog:
        """Open the log database, or one in memory if only the record is wanted, or nothing.

        Raises:
            StoreProblem: the log cannot be written.
        """
        if is_kept:
            from cellwall_kernel.store import Store

            try:
                return cls(Store.open(paths), is_kept=True)
            except StoreProblem as problem:
                raise StoreProblem(f"{problem.message} With -n the prompt runs without the log.") from problem
        if wants_record:
            from cellwall_kernel.store import Store

            return cls(Store.in_memory(), is_kept=False)
        return cls(None, is_kept=False)

    def beside(self) -> PromptLog:
        """Return the log for a prompt that runs beside this one, in the same file if that is kept."""
        return PromptLog(self._store if self._is_kept else None, is_kept=self._is_kept)

    @property
    def conversation_id(self) -> str | None:
        """The conversation that the prompt belongs to; None if it is not kept."""
        return self._conversation_id if self._is_kept else None

    def begin(self, row: PromptRow) -> None:
        """Log the prompt: afterwards it may be sent.

        Raises:
            StoreProblem: it cannot be written.
            NotFound: the conversation does not exist.
        """
        if self._store is not None:
            self._response_id = self._store.begin(row)
            self._conversation_id = self._store.conversation_id(self._response_id)

    def append(self, items: Sequence[Item | UnknownItem]) -> bool:
        """Log what has arrived: afterwards it may be shown.

        Returns:
            Whether the log has failed just now, for the first time.
        """
        if self._store is None:
            return False
        try:
            self._store.append(self._response_id, items)
        except StoreProblem as problem:
            is_first = self.problem is None
            self.problem = problem
            return is_first
        return False

    def finish(self, outcome: Outcome) -> None:
        """Log how the answer ended; a failure stands in `problem` then."""
        if self._store is None:
            return
        try:
            self._store.finish(self._response_id, outcome)
            self.problem = None
        except StoreProblem as problem:
            self.problem = problem

    def record(self) -> LoggedResponse | None:
        """Read the whole record back; None if nothing was kept.

        Raises:
            StoreProblem: it cannot be read.
        """
        if self._store is None:
            return None
        return self._store.response(self._response_id)

    def close(self) -> None:
        """Let go of the file; what was not finished is logged as interrupted."""
        if self._store is not None:
            self._store.close()
