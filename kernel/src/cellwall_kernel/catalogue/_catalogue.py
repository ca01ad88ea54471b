"""The catalogue as commands use it: load it, find a model, and have the plugins asked that must be."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.catalogue import _models
from cellwall_kernel.catalogue._entries import Entry
from cellwall_kernel.catalogue._file import CatalogueFile, catalogue_path
from cellwall_kernel.catalogue._models import EMBEDDING, LANGUAGE, M
from cellwall_kernel.discovery import Environment, Scan
from cellwall_kernel.errors import (
    CellwallError,
    DeadlineExceeded,
    NotFound,
    PluginBroken,
    Quarantined,
    StoreProblem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cellwall_kernel.catalogue._models import Collision, Kind
    from cellwall_kernel.config import Config
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import DescribeResult, EmbedderInfo, ModelInfo

__all__ = ["Catalogue"]

LIST_S = 3.0
"""How long a list waits for one plugin (seconds), unless its user has set something; a slower one is slow."""

STOPPING_S = 0.5
"""How much longer than its own deadlines we wait for a plugin, to hear which one has passed (seconds)."""

LINGER_S = 1.0
"""How long a prompt that has found its model still waits for others, so that the next need not (seconds)."""

OTHERS_S = 4.0
"""How long we let another command ask before we do it ourselves (seconds)."""

MAX_DESCRIPTION_BYTES = 1024 * 1024
"""A larger description is refused: every command reads all of them."""


class Catalogue:
    """What every installed plugin offers.

    Attributes:
        environment: where the plugins are installed.
        entries: plugin name -> what is known, sorted by name; every installed plugin has one.
        attempts: what plugins tried and were not allowed when this command asked them, as sentences.
    """

    def __init__(
        self, paths: Paths, environment: Environment, found: Scan, owners: Mapping[str, str] | None
    ) -> None:
        self.environment = environment
        self.entries: dict[str, Entry] = {}
        self.attempts: list[str] = []
        self._paths = paths
        self._file = CatalogueFile(catalogue_path(paths, environment), environment)
        self._scan = found
        self._owners = owners
        self._files: dict[str, str] = {}
        self._late: list[DeadlineExceeded] = []
        self._lent: dict[str, Entry] = {}
        self._covered: dict[str, Entry] = {}
        self._seen = self._file.look()

    @classmethod
    def load(
        cls, paths: Paths, *, environment: Environment | None = None, owners: Mapping[str, str] | None = None
    ) -> Catalogue:
        """Return what is known, in step with what is installed; this starts no plugin and no event loop.

        Args:
            paths: the user folder.
            environment: by default the one that this process runs in.
            owners: model id -> the plugin that the user chose for it; by default as in the settings.

        Raises:
            StoreProblem: the user folder cannot be made.
        """
        environment = environment or Environment.current()
        self = cls(paths, environment, Scan(records=[], watched=[], installed=""), owners)
        content = self._file.read()
        known, is_whole = content.decoded()
        if is_whole and content.is_current(environment):
            records = [entry.record for entry in known.values()]
            self._scan = Scan(records=records, watched=content.watched, installed=content.installed)
            self.entries = {
                name: self._as_set(self._with_files(entry)) for name, entry in sorted(known.items())
            }
            return self
        from cellwall_kernel.catalogue._installed import scan_everything  # only when something has changed

        self._scan = scan_everything(paths, environment)
        for record in self._scan.records:
            entry = known.get(record.name)
            if entry is not None and entry.record.key == record.key:
                # A failure is forgotten whenever anything was installed: it may have been the missing piece.
                is_kept = entry.described is not None or content.installed == self._scan.installed
                entry = self._with_files(msgspec.structs.replace(entry, record=record)) if is_kept else None
            else:
                entry = None
            self.entries[record.name] = self._as_set(entry or Entry.first(record))
        self._save()
        return self

    # -- asking the catalogue --------------------------------------------------------------------------------

    @property
    def unasked(self) -> list[str]:
        """The plugins that were never asked, or have changed since."""
        return [entry.name for entry in self.entries.values() if entry.state == "new"]

    @property
    def is_complete(self) -> bool:
        """Whether a list needs no event loop: nothing is new and nothing has expired."""
        return not any(entry.state == "new" or entry.is_expired for entry in self.entries.values())

    def find_model(self, name: str) -> tuple[Entry, ModelInfo]:
        """Return the model of that id or alias and the plugin that provides it.

        Raises:
            NotFound: no plugin is known to offer it; `require_model` asks those that were not asked yet.
        """
        return self._find(name, LANGUAGE)

    def find_embedder(self, name: str) -> tuple[Entry, EmbedderInfo]:
        """Return the embedding model of that id or alias and the plugin that provides it.

        Raises:
            NotFound: no plugin is known to offer it; `require_embedder` asks those that were not asked yet.
        """
        return self._find(name, EMBEDDING)

    def _find(self, name: str, kind: Kind[M]) -> tuple[Entry, M]:
        offer = _models.find(self.entries.values(), name, self.owners, kind)
        if offer is None:
            raise _models.unknown_model(self.entries.values(), name, kind)
        return offer

    def models(self) -> list[tuple[Entry, ModelInfo]]:
        """List all models that can be prompted by their id, by plugin and then as the plugin lists them."""
        return _models.provided(self.entries.values(), self.owners, LANGUAGE)

    def embedders(self) -> list[tuple[Entry, EmbedderInfo]]:
        """List all embedding models that can be had by their id, likewise."""
        return _models.provided(self.entries.values(), self.owners, EMBEDDING)

    def collisions(self) -> list[Collision]:
        """List ids and aliases of models that several plugins offer."""
        return _models.collisions(self.entries.values(), self.owners, LANGUAGE)

    @property
    def owners(self) -> Mapping[str, str]:
        """Whom the user has chosen where several plugins offer the same model; one attached to wins."""
        owners = self._settings.owners if self._owners is None else self._owners
        if not self._lent:
            return owners
        models = [(each.name, model) for each in self._lent.values() for model in each.models]
        return {**owners, **{name: plugin for plugin, model in models for name in (model.id, *model.aliases)}}

    @cached_property
    def _settings(self) -> Config:
        from cellwall_kernel.config import load_config

        return load_config(self._paths)

    # -- asking plugins --------------------------------------------------------------------------------------

    async def refresh(
        self, supervisor: Supervisor, *, is_thorough: bool = False, retries_failed: bool = False
    ) -> None:
        """Ask the plugins that are new or whose answer has expired, for a list.

        Args:
            supervisor: starts them.
            is_thorough: also those that were slow before, and with full patience (`llm plugins list`).
            retries_failed: also those that failed.
        """
        wanted = {"new", *(["slow"] if is_thorough else []), *(["failed"] if retries_failed else [])}
        await self._ask(
            supervisor,
            lambda entry: entry.state in wanted or entry.is_expired,
            is_patient=is_thorough,
        )

    async def require_model(self, supervisor: Supervisor, name: str) -> tuple[Entry, ModelInfo]:
        """Return the model of that id or alias; plugins that were new or slow are asked first.

        Raises:
            NotFound: no plugin offers it.
            DeadlineExceeded: likewise, and one that was asked just now did not answer in time.
        """
        return await self._require(supervisor, name, LANGUAGE)

    async def require_embedder(self, supervisor: Supervisor, name: str) -> tuple[Entry, EmbedderInfo]:
        """Return the embedding model of that id or alias; else as `require_model`."""
        return await self._require(supervisor, name, EMBEDDING)

    async def _require(self, supervisor: Supervisor, name: str, kind: Kind[M]) -> tuple[Entry, M]:
        def is_offered() -> bool:
            return _models.find(self.entries.values(), name, self.owners, kind) is not None

        for states in ({"new"}, {"new", "slow"}):
            if is_offered():
                break

            wanted = partial(_is_due, states)
            await self._ask(supervisor, wanted, is_patient=True, is_enough=is_offered)
        try:
            return self._find(name, kind)
        except NotFound:
            if self._late:
                raise DeadlineExceeded(
                    f"no plugin that answered offers a model '{name}'; "
                    + " ".join(problem.message for problem in self._late),
                    detail="\n".join(problem.detail for problem in self._late if problem.detail),
                ) from None
            raise

    async def attach(self, supervisor: Supervisor, plugin: str) -> Entry:
        """Ask the plugin that is attached to what it offers; that holds for this command and is kept nowhere.

        Raises:
            CellwallError: it cannot be attached to, or cannot say what it offers.
        """
        from cellwall_kernel.catalogue._attaching import attached_entry

        known = self.entries.get(plugin)
        entry = await attached_entry(supervisor, self._paths, plugin, known)
        self._lent[plugin] = entry
        if known is not None:
            self._covered[plugin] = known
        self.entries = dict(sorted({**self.entries, plugin: entry}.items()))
        return entry

    def note_failure(self, plugin: str, problem: CellwallError) -> None:
        """Keep why a plugin that had answered once cannot be used now, so that lists tell it, too."""
        if plugin in self.entries and plugin not in self._lent:
            self.entries[plugin] = self.entries[plugin].failed(problem, self.entries[plugin].files)
            self._save()

    def forget(self, plugin: str) -> None:
        """Have a plugin asked again by the next command: it turned out not to be what the catalogue says."""
        if plugin in self.entries and plugin not in self._lent:
            self.entries[plugin] = self.entries[plugin].unasked()
            self._save()

    async def _ask(
        self,
        supervisor: Supervisor,
        is_wanted: Callable[[Entry], bool],
        *,
        is_patient: bool,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        from cellwall_kernel.catalogue._describing import Turn, ask_all

        if not any(map(is_wanted, self.entries.values())):
            return
        with Turn(self._file.path) as turn:
            if not await turn.wait(OTHERS_S, lambda: self._others_did(is_wanted, is_enough)):
                return
            await ask_all(
                [name for name, entry in self.entries.items() if is_wanted(entry)],
                lambda name: self._describe(supervisor, name),
                take=lambda name, answer: self._take(name, answer, supervisor.refusals.get(name, ())),
                patience_s=lambda name: self._patience_s(name, is_patient=is_patient),
                is_enough=is_enough,
                linger_s=LINGER_S,
            )

    def _patience_s(self, name: str, *, is_patient: bool) -> float:
        """Return how long we wait for a plugin: to the end of its deadlines, or as a list does."""
        patience = self._settings.timeouts.patience(name)
        if is_patient or patience.is_asked_for:
            return patience.introduction_s + STOPPING_S
        return LIST_S

    async def _describe(self, supervisor: Supervisor, name: str) -> DescribeResult:
        from cellwall_kernel.assets.launching import resolve_for_launch

        record = self.entries[name].record
        self._files[name] = self._files_digest(record)
        assets = resolve_for_launch(record.manifest, (), name, self._paths)
        described = await supervisor.describe(record, assets=assets)
        size = len(msgspec.json.encode(described))
        if size > MAX_DESCRIPTION_BYTES:
            raise PluginBroken(
                name,
                f"plugin '{name}' describes itself in {size:,} bytes; {MAX_DESCRIPTION_BYTES:,} are allowed, "
                "because every command reads them.",
            )
        return described

    def _take(
        self, name: str, answer: DescribeResult | CellwallError | None, refusals: Iterable[Refusal]
    ) -> None:
        attempts = [refusal.sentence(name) for refusal in refusals]
        self.attempts += attempts
        entry = msgspec.structs.replace(self.entries[name], attempts=attempts)
        files = self._files.get(name, "")
        if answer is None:
            entry = entry.unfinished()
        elif isinstance(answer, CellwallError):
            entry = entry.failed(answer, files)
            if isinstance(answer, DeadlineExceeded):
                self._late.append(answer)
            if isinstance(answer, Quarantined):
                entry = msgspec.structs.replace(entry, expires_at=answer.until)
        else:
            entry = entry.answered(answer, files)
        self.entries[name] = entry
        self._save()  # at once: other commands may be waiting for just this one

    def _others_did(self, is_wanted: Callable[[Entry], bool], is_enough: Callable[[], bool]) -> bool:
        """Whether other commands have found out what we want to know; their findings become ours."""
        look = self._file.look()
        if look != self._seen:
            self._seen = look
            self.entries = self._with_lent(self._file.merged(self._scan, self._own_entries()))
        return is_enough() or not any(map(is_wanted, self.entries.values()))

    def _as_set(self, entry: Entry) -> Entry:
        """Return the entry as the user wants it: a disabled plugin offers nothing and is not asked."""
        if entry.record.grant_key in self._settings.disabled:
            return entry.disabled()
        return entry.unasked() if entry.state == "disabled" else entry

    def _with_files(self, entry: Entry) -> Entry:
        """Return the entry, or an unasked one if the user has added or removed a file of the plugin."""
        if entry.described is None or entry.files == self._files_digest(entry.record):
            return entry
        return entry.unasked()

    def _files_digest(self, record: PluginRecord) -> str:
        if record.manifest is None or record.manifest.files is None:
            return ""
        from cellwall_kernel.assets.user_files import files_digest

        try:
            return files_digest(record.name, self._paths)
        except StoreProblem:
            return "unreadable"  # asking the plugin will say so, and costs nobody else anything

    def _own_entries(self) -> dict[str, Entry]:
        """Return the entries as they are without the plugin that is attached to."""
        own = {name: entry for name, entry in self.entries.items() if name not in self._lent}
        return dict(sorted({**own, **self._covered}.items()))

    def _with_lent(self, entries: dict[str, Entry]) -> dict[str, Entry]:
        self._covered = {name: entries[name] for name in self._lent if name in entries}
        return dict(sorted({**entries, **self._lent}.items())) if self._lent else entries

    def _save(self) -> None:
        self.entries = self._with_lent(self._file.merge(self._scan, self._own_entries()))
        self._seen = self._file.look()


def _is_due(states: set[str], entry: Entry) -> bool:
    return entry.state in states or entry.is_expired
