"""API keys for the plugins that answer: only those that its models declared and that its user granted it.

A key that the user names for one prompt (`--key`) is granted for that prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.errors import CallFailed, NotGranted
from cellwall_kernel.keys import missing_key, resolve_key

if TYPE_CHECKING:
    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import ServiceCall
    from cellwall_wire import EmbedderInfo, KeysGetResult, ModelInfo

__all__ = ["KeyService", "check_key"]


def check_key(
    paths: Paths, plugin: str, model: ModelInfo | EmbedderInfo, explicit: str | None, grant: Grant
) -> None:
    """Say at once that a key is missing, rather than after a plugin was started.

    Raises:
        KeyProblem: the model cannot do without a key, and there is none.
        NotGranted: there is one, and its user has not granted it to the plugin.
        StoreProblem: the stored keys cannot be read.
    """
    need = model.key
    if need is not None and need.required:
        if explicit is None and need.alias not in grant.permissions.keys:
            raise not_granted(plugin, need.alias)
        known = resolve_key(paths, explicit=explicit, alias=need.alias, env_var=need.env)
        if known is None:
            raise missing_key(need.alias, need.env)


def not_granted(plugin: str, alias: str) -> NotGranted:
    """Return the error that says which key was not granted, and how to grant it."""
    from shlex import quote  # people copy the command into a shell, and both words may be a stranger's

    command = f"llm plugins grant {quote(plugin)} {quote(f'key={alias}')}"
    return NotGranted(
        f"plugin '{plugin}' was not granted the key '{alias}'; '{command}' "
        "allows it for good, and --key for one prompt."
    )


class KeyService:
    """Answers `keys/get` of the plugin that is asked, and of those that are asked on its behalf.

    Args:
        paths: the user folder.
        entry: the plugin, with what its models declared.
        model: the model that answers.
        explicit: what `--key` said; it is for the key of this model only, in the user's own call.
        grant: what the user granted the plugin.
    """

    def __init__(
        self,
        paths: Paths,
        entry: Entry,
        model: ModelInfo | EmbedderInfo,
        explicit: str | None,
        grant: Grant,
    ) -> None:
        self._paths = paths
        self._plugin = entry.name
        self._granted: dict[str, frozenset[str]] = {}
        self._declared: dict[str, dict[str, str | None]] = {}
        self._explicit = {model.key.alias: explicit} if model.key is not None and explicit is not None else {}
        self.admit(entry, grant)

    def admit(self, entry: Entry, grant: Grant) -> None:
        """Let another plugin ask for its keys, because it is asked something, too."""
        offers: list[ModelInfo | EmbedderInfo] = [*entry.models, *entry.embedders]
        needs = [need for offer in offers if (need := offer.key) is not None]
        self._declared[entry.name] = {need.alias: need.env for need in needs}
        self._granted[entry.name] = frozenset(grant.permissions.keys)

    async def get(self, call: ServiceCall) -> KeysGetResult:
        """Return a declared key.

        Raises:
            CallFailed: the plugin did not declare it, or was not granted it.
            KeyProblem: there is none.
            StoreProblem: the stored keys cannot be read.
        """
        from cellwall_wire import KeysGetResult

        plugin, alias = call.record.name, call.params.alias
        declared = self._declared.get(plugin, {})
        if alias not in declared:
            raise CallFailed(
                plugin,
                f"plugin '{plugin}' asked for the key '{alias}', which none of its models declares.",
                kind="NotGranted",
            )
        is_own = plugin == self._plugin and call.depth == 1
        explicit = self._explicit.get(alias) if is_own else None
        if alias not in self._granted[plugin] and explicit is None:
            raise CallFailed(plugin, not_granted(plugin, alias).message, kind="NotGranted")
        key = resolve_key(self._paths, explicit=explicit, alias=alias, env_var=declared[alias])
        if key is None:
            raise missing_key(alias, declared[alias])
        return KeysGetResult(value=key)
