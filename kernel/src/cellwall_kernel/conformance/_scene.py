"""The scene: what a check works with: processes of the plugin, its description, a model and a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.conformance._peer import Peer, running
from cellwall_kernel.conformance._types import Broken, Skipped
from cellwall_kernel.conformance._witness import Witness
from cellwall_kernel.conformance._words import as_line, members_of
from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.launch import Launch
from cellwall_kernel.process import INITIALIZE_S, StderrLog
from cellwall_kernel.version import VERSION
from cellwall_wire import PROTOCOL, AssetFile, Code, DescribeResult, EmbedderInfo, Limits, ModelInfo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cellwall_kernel.process.child import Child

__all__ = ["Scene", "Subject"]

LIMITS = Limits()


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The plugin under check.

    Args:
        record: the plugin.
        launch: how it is started.
        log_path: the file for what it prints; None for none.
        data: its own folder; likewise `scratch`, for temporary files.
        assets: its data files.
    """

    record: PluginRecord
    launch: Launch
    log_path: str | None
    data: str
    scratch: str
    assets: Mapping[str, AssetFile]


class Scene:
    """What a check works with.

    Args:
        subject: the plugin.
        text: the prompt.
        patience_s: how long one answer may take.

    Attributes:
        witness: what was seen in the run.
        log: what the plugin printed.
        described: what it offers; None if that is not known.
        model: the model that is prompted; None if there is none.
        keyed_model: the id of one that needs a key; None if there is none.
        embedder: the id of the embedding model that is tried; None if there is none.
        no_prompts: why no prompt can be tried; empty if one can.
    """

    def __init__(self, subject: Subject, *, text: str, patience_s: float) -> None:
        self.subject = subject
        self.text = text
        self.patience_s = patience_s
        self.witness = Witness()
        self.log = StderrLog(subject.log_path, title=f"{subject.record.name} {subject.record.version}")
        self.described: dict[str, Any] | None = None
        self.model: ModelInfo | None = None
        self.keyed_model: str | None = None
        self.embedder: str | None = None
        self.no_prompts = "what the plugin offers is not known"
        self.child: Child | None = None
        self._shared: Peer | None = None

    # -- processes -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def new(self) -> AsyncGenerator[Peer]:
        """Start a process to which nothing has been said."""
        start = running(
            self.subject.launch, self.log, self.witness, patience_s=self.patience_s, hold=self._hold
        )
        async with start as peer:
            yield peer

    @asynccontextmanager
    async def ready(self, **limits: int) -> AsyncGenerator[Peer]:
        """Start a process and bring it through `initialize`.

        Args:
            limits: other sizes than usual, as in `params.limits`.

        Raises:
            Broken: it did not answer `initialize` well.
        """
        async with self.new() as peer:
            await self.greet(peer, **limits)
            yield peer

    async def greet(self, peer: Peer, **limits: int) -> dict[str, Any]:
        """Say the first word and return the result."""
        return await self.accepted(peer, self.hello(**limits))

    async def accepted(self, peer: Peer, hello: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Send an `initialize` that must be accepted and return the result."""
        result = await peer.result(peer.ask("initialize", hello, **members), INITIALIZE_S)
        peer.ledger.line_limit = hello["limits"]["line"]
        peer.ledger.data_line = hello["limits"]["data_line"]
        return result

    def hello(self, **limits: int) -> dict[str, Any]:
        """Return the parameters of `initialize`."""
        record = self.subject.record
        return {
            "protocols": [PROTOCOL],
            "host": {"name": "cellwall", "version": VERSION},
            "plugin": {"name": record.name, "dist": record.dist, "version": record.version},
            "limits": {"line": LIMITS.line, "data_line": LIMITS.data_line, **limits},
            "dirs": {"data": self.subject.data, "scratch": self.subject.scratch},
            "assets": {name: msgspec.to_builtins(asset) for name, asset in self.subject.assets.items()},
        }

    @property
    def shared(self) -> Peer:
        """The process that checks share."""
        if self._shared is None:
            raise RuntimeError("there is no shared process now")
        return self._shared

    @asynccontextmanager
    async def sharing(self) -> AsyncGenerator[None]:
        """Keep a process that is ready, as `shared`."""
        async with self.ready() as peer:
            self._shared = peer
            try:
                yield
            finally:
                self._shared = None

    def _hold(self, child: Child | None) -> None:
        self.child = child

    # -- prompts ---------------------------------------------------------------------------------------------

    def take_description(self, members: dict[str, Any], model: str | None) -> None:
        """Note what the plugin offers, and choose a model.

        Args:
            members: the result of `plugin/describe`.
            model: the name of the model to prompt; None for one that needs no key, if there is one.
        """
        self.described = members
        try:
            described = msgspec.convert(members, DescribeResult)
        except msgspec.ValidationError:
            return
        offers: list[ModelInfo | EmbedderInfo] = [*described.models, *described.embedders]
        self.witness.aliases = {each.key.alias for each in offers if each.key is not None}
        keyed = [each.id for each in described.models if each.key is not None and each.key.required]
        self.keyed_model = keyed[0] if keyed else None
        self.model, self.no_prompts = self._chosen(described.models, model)
        free = [each for each in described.embedders if each.key is None or not each.key.required]
        here = [each.id for each in free if not set(each.assets) - set(self.subject.assets)]
        self.embedder = here[0] if here else None

    def _chosen(self, models: list[ModelInfo], wanted: str | None) -> tuple[ModelInfo | None, str]:
        if not models:
            return None, "the plugin offers no model"
        if wanted is not None:
            fitting = [each for each in models if wanted in (each.id, *each.aliases)]
            if not fitting:
                return None, f"the plugin has no model '{wanted}'"
        else:
            fitting = [each for each in models if each.key is None or not each.key.required] or models
            fitting = [each for each in fitting if each.default] or fitting
        missing = [name for name in fitting[0].assets if name not in self.subject.assets]
        if missing:
            return None, f"the data file '{missing[0]}' of the model '{fitting[0].id}' is not here yet"
        return fitting[0], ""

    def question(self, text: str | None = None, **more: Any) -> dict[str, Any]:
        """Return the parameters of a prompt, without `meta`.

        Raises:
            Skipped: nothing can be prompted.
        """
        if self.model is None or self.no_prompts:
            raise Skipped(self.no_prompts)
        part = {"type": "text", "text": self.text if text is None else text}
        messages = [{"role": "user", "parts": [part]}]
        return {"model": self.model.id, "messages": messages} | more

    async def answered(self, peer: Peer, call_id: str) -> dict[str, Any]:
        """Wait for the result of a prompt.

        Raises:
            Broken: an error came that is none of a model's, or nothing.
            Skipped: the model cannot be used as it is.
        """
        answer = await peer.answer(call_id)
        code = members_of(answer.get("error")).get("code")
        if code in UNUSABLE:
            kind = Code(code).kind
            raise Skipped(f"the model '{self.model.id if self.model else ''}' answers {kind}")
        if not isinstance(answer.get("result"), dict):
            raise Broken(peer.call(call_id).line, as_line(answer))
        result: dict[str, Any] = answer["result"]
        return result


UNUSABLE = {
    Code.KEY_MISSING,
    Code.KEY_REJECTED,
    Code.RATE_LIMITED,
    Code.OVERLOADED,
    Code.CONTEXT_TOO_LONG,
    Code.FILTERED,
    Code.PROVIDER_ERROR,
}
"""What a model may answer to any prompt without being to blame for it."""
