"""Which model answers, and whether it can do what is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel import attaching
from cellwall_kernel.errors import NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cellwall_kernel.catalogue import Catalogue, Entry
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.request import PromptRequest
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import EmbedderInfo, ModelInfo

    Offer = tuple[Entry, ModelInfo]
    """A model and the plugin that provides it."""

    EmbedderOffer = tuple[Entry, EmbedderInfo]
    """An embedding model and the plugin that provides it."""

    Run = Callable[[Callable[[], Awaitable[None]]], None]

__all__ = ["Choice", "check_abilities", "default_model"]


class Choice:
    """Finds the model that answers, and asks plugins what they offer only if that is not known yet.

    Args:
        paths: the user folder.
        catalogue: what is known.
        run: runs an async function in an event loop of its own, and heeds signals meanwhile.
    """

    def __init__(self, paths: Paths, catalogue: Catalogue, run: Run) -> None:
        self._supervisor: Supervisor | None = None
        self._paths = paths
        self._catalogue = catalogue
        self._run = run
        self._attached: Entry | None = None

    @property
    def is_attached(self) -> bool:
        """Whether this command is attached to a plugin, which then is the one that answers by default."""
        return attaching.current() is not None

    def named(self, name: str) -> Offer:
        """Return the model of that id or alias.

        Raises:
            NotFound: no plugin offers it.
        """
        self._attach()
        try:
            return self._catalogue.find_model(name)
        except NotFound:
            if not any(entry.state in {"new", "slow"} or entry.is_expired for entry in self._entries):
                raise
        self._run(lambda: self._ask(name))
        return self._catalogue.find_model(name)

    def default(self) -> Offer:
        """Return the model that answers when the user has named none anywhere.

        Raises:
            NotFound: there is none, or several and none of them says that it is the default.
        """
        self._attach()
        if self._attached is not None:
            return first_model(self._attached)
        found = default_model(self._catalogue)
        if found is None and not self._catalogue.is_complete:
            self._run(lambda: self._ask(None))
            found = default_model(self._catalogue)
        if found is not None:
            return found
        if self._catalogue.models():
            raise NotFound("no model is the default; choose one with 'llm models default MODEL' or with -m.")
        raise NotFound("no installed plugin offers a model; 'llm plugins' shows what is installed and why.")

    def embedder(self, name: str) -> EmbedderOffer:
        """Return the embedding model of that id or alias.

        Raises:
            NotFound: no plugin offers it.
        """
        self._attach()
        try:
            return self._catalogue.find_embedder(name)
        except NotFound:
            if not any(entry.state in {"new", "slow"} or entry.is_expired for entry in self._entries):
                raise
        self._run(lambda: self._ask(name, is_embedder=True))
        return self._catalogue.find_embedder(name)

    def default_embedder(self) -> EmbedderOffer:
        """Return the only embedding model there is.

        Raises:
            NotFound: there is none, or there are several.
        """
        self._attach()
        if not self._catalogue.is_complete:
            self._run(lambda: self._ask(None))
        offers = self._catalogue.embedders()
        if len(offers) == 1:
            return offers[0]
        if offers:
            command = "llm embed-models default MODEL"
            raise NotFound(f"no embedding model is the default; choose one with '{command}' or with -m.")
        raise NotFound("no installed plugin offers an embedding model.")

    def kill(self) -> None:
        """Have all plugins that are being asked killed, without waiting; safe in a signal handler."""
        if self._supervisor is not None:
            self._supervisor.kill_now()

    @property
    def _entries(self) -> list[Entry]:
        return list(self._catalogue.entries.values())

    def _attach(self) -> None:
        """Ask the plugin that this command is attached to what it offers, once, before any other."""
        attachment = attaching.current()
        if attachment is not None and self._attached is None:
            self._run(lambda: self._ask_attached(attachment.plugin))

    async def _ask_attached(self, plugin: str) -> None:
        from cellwall_kernel.supervisor import Supervisor

        try:
            async with Supervisor(self._paths) as self._supervisor:
                self._attached = await self._catalogue.attach(self._supervisor, plugin)
        finally:
            self._supervisor = None

    async def _ask(self, name: str | None, *, is_embedder: bool = False) -> None:
        from cellwall_kernel.supervisor import Supervisor

        try:
            async with Supervisor(self._paths) as self._supervisor:
                if name is None:
                    await self._catalogue.refresh(self._supervisor)
                elif is_embedder:
                    await self._catalogue.require_embedder(self._supervisor, name)
                else:
                    await self._catalogue.require_model(self._supervisor, name)
        finally:
            self._supervisor = None


def first_model(entry: Entry) -> Offer:
    """Return the model of an attached plugin that answers: its default one, else its first.

    Raises:
        NotFound: it offers none.
    """
    if not entry.models:
        raise NotFound(f"plugin '{entry.name}', which is attached, offers no model.")
    return entry, next((model for model in entry.models if model.default), entry.models[0])


def default_model(catalogue: Catalogue) -> Offer | None:
    """Return the first model that its plugin calls a default one, else the only one; else None."""
    offers = catalogue.models()
    chosen = next((offer for offer in offers if offer[1].default), None)
    if chosen is None and len(offers) == 1 and catalogue.is_complete:
        return offers[0]
    return chosen


def check_abilities(model: ModelInfo, request: PromptRequest) -> None:
    """Refuse what the model cannot do, before anything is started.

    Raises:
        UsageProblem: it cannot follow a schema, take a system prompt, continue a conversation, or read one of
            the attachments.
    """
    if request.schema is not None and not model.supports.schema:
        raise UsageProblem(f"the model '{model.id}' cannot follow a schema; leave --schema out.")
    if request.system and not model.supports.system:
        raise UsageProblem(f"the model '{model.id}' takes no system prompt; leave it out.")
    if request.conversation is not None and not model.supports.conversation:
        raise UsageProblem(f"the model '{model.id}' cannot continue a conversation.")
    for attachment in request.attachments:
        if not any(is_kind_of(attachment.media_type, kind) for kind in model.input):
            taken = f"it takes {', '.join(sorted(model.input))}" if model.input else "it takes no attachments"
            raise UsageProblem(
                f"the model '{model.id}' does not read {attachment.media_type} ({attachment.name}); {taken}."
            )


def is_kind_of(media_type: str, kind: str) -> bool:
    """Whether a media type is `kind`, which may be `image/*` or `*/*`."""
    if kind in {"*", "*/*"}:
        return True
    if kind.endswith("/*"):
        return media_type.lower().startswith(kind[:-1].lower())
    return media_type.lower() == kind.lower()
