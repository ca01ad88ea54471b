"""What is known about one plugin, and how it came to be known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import msgspec

from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.errors import LimitExceeded
from cellwall_wire import DescribeResult, EmbedderInfo, ModelInfo

if TYPE_CHECKING:
    from cellwall_kernel.errors import CellwallError

__all__ = ["Entry", "PluginProblem", "State"]

State = Literal["new", "ready", "failed", "slow", "disabled"]
"""new: not asked yet. ready: it answered. failed: it cannot be used. slow: nobody waited for its answer."""

FAILED_TTL_S = 24 * 3600.0
"""After how long a failed plugin is asked again although nothing here has changed (seconds)."""

RENEWAL_RETRY_S = 300.0
"""After how long a ready plugin that could not be asked again is tried once more (seconds)."""

MAX_DETAIL = 4000
"""How many characters of a failure's detail are kept: the end of a traceback."""


class PluginProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a plugin cannot be used.

    Args:
        kind: stable and machine-readable, as of the error.
        message: one sentence for people.
        detail: a traceback, or the last lines that it printed.
    """

    kind: str
    message: str
    detail: str = ""

    @classmethod
    def of(cls, error: CellwallError) -> PluginProblem:
        """Keep what an error says."""
        return cls(kind=error.kind, message=error.message, detail=error.detail[-MAX_DETAIL:])


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one plugin.

    Args:
        record: how it is installed.
        state: see State.
        files: stands for the files that the user added to it, when it was asked.
        described: what it offers; also of a ready plugin whose last renewal failed.
        error: why it cannot be used, or why the last renewal failed.
        asked_at: when this was found out, in seconds since the epoch; 0 = never asked.
        expires_at: when it should be asked again, likewise; None = when it changes.
        attempts: what it tried and was not allowed when it was asked, as sentences.
    """

    record: PluginRecord
    state: State = "new"
    files: str = ""
    described: DescribeResult | None = None
    error: PluginProblem | None = None
    asked_at: float = 0.0
    expires_at: float | None = None
    attempts: list[str] = []

    @classmethod
    def first(cls, record: PluginRecord) -> Entry:
        """Return the entry of a plugin that was never asked; one with a known problem need not be."""
        if record.problem is None:
            return cls(record=record)
        message = f"plugin '{record.name}' cannot be used: {record.problem}"
        return cls(record=record, state="failed", error=PluginProblem(kind="PluginBroken", message=message))

    def answered(self, described: DescribeResult, files: str) -> Entry:
        """Return the entry after the plugin said what it offers."""
        now = time.time()
        ttl_ms = described.ttl_ms
        return Entry(
            record=self.record,
            state="ready",
            files=files,
            described=described,
            asked_at=now,
            expires_at=None if ttl_ms is None else now + max(0, ttl_ms) / 1000,
            attempts=self.attempts,
        )

    def failed(self, error: CellwallError, files: str) -> Entry:
        """Return the entry after the plugin failed; what the same code offered before stays."""
        now = time.time()
        is_usable, is_passing = self.described is not None, isinstance(error, LimitExceeded)
        return msgspec.structs.replace(
            self,
            state="ready" if is_usable else "failed",
            files=files,
            error=PluginProblem.of(error),
            asked_at=now,
            expires_at=now + (RENEWAL_RETRY_S if is_usable or is_passing else FAILED_TTL_S),
        )

    def unfinished(self) -> Entry:
        """Return the entry after nobody waited for the answer; what it offered before stays."""
        now = time.time()
        if self.described is None:
            return msgspec.structs.replace(self, state="slow", asked_at=now)
        return msgspec.structs.replace(self, asked_at=now, expires_at=now + RENEWAL_RETRY_S)

    def unasked(self) -> Entry:
        """Return the entry of a plugin that must be asked again: something that it depends on has changed."""
        return msgspec.structs.replace(Entry.first(self.record), asked_at=time.time())

    def disabled(self) -> Entry:
        """Return the entry of a plugin that its user has disabled: nothing is offered, nobody asks."""
        return Entry(record=self.record, state="disabled", asked_at=self.asked_at)

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.record.name

    @property
    def cause(self) -> str | None:
        """Why it cannot be used, or why it could not be asked again; None if all is well."""
        if self.state == "disabled":
            return f"it is disabled; 'llm plugins enable {self.name}' lets it take part again."
        if self.state == "slow":
            return f"plugin '{self.name}' takes long to start; it is waited for when it is needed."
        return None if self.error is None else self.error.message

    @property
    def models(self) -> list[ModelInfo]:
        """The models it offers; empty if it cannot be used."""
        return [] if self.described is None else self.described.models

    @property
    def embedders(self) -> list[EmbedderInfo]:
        """The embedding models it offers; empty if it cannot be used."""
        return [] if self.described is None else self.described.embedders

    @property
    def is_expired(self) -> bool:
        """Whether the plugin asked to be asked again by now, or failed long ago."""
        return self.expires_at is not None and time.time() >= self.expires_at
