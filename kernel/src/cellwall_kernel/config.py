"""The user's settings: `config.json` in the user folder.

    {"default_model": "smollm2", "timeouts": {"total_s": 60}, "owners": {"gpt-4": "openai"}, "logging": false,
     "disabled": ["llm-foo/foo"], "sandbox": {"minimum": "PARTIAL"}}

Every member may be missing, and members that this version does not know are kept when a command changes the
file. What the settings mean is left to the modules that ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from cellwall_kernel.errors import StoreProblem, UsageProblem
from cellwall_kernel.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.timeouts import Patience

__all__ = ["Config", "change_config", "load_config", "patience_with"]


@dataclass(frozen=True, slots=True)
class Config:
    """What the user has set.

    Attributes:
        default_model: the model that answers when none is named; None leaves the choice to Cellwall.
        default_embedding_model: the embedding model that is used when none is named.
        owners: model id -> the plugin that shall provide it, where several plugins offer the same id.
        timeouts: how long plugins are waited for.
        idle_stop_s: how long a plugin that is kept between calls may have nothing to do, in seconds; None
            leaves it to Cellwall.
        logging: whether prompts and answers are written to the log database.
        disabled: the plugins that shall not be started, by `PluginRecord.grant_key`.
        sandbox: how strong it must be: "minimum" -> STRONG, PARTIAL or NONE, for `llm doctor`.
        unknown: members of the file that this version does not know, kept as they are.
    """

    default_model: str | None = None
    default_embedding_model: str | None = None
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    timeouts: Timeouts = field(default_factory=Timeouts)
    idle_stop_s: float | None = None
    logging: bool = True
    disabled: tuple[str, ...] = ()
    sandbox: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def with_default_model(self, model: str | None) -> Config:
        """Return the settings with another default model; None removes it."""
        return replace(self, default_model=model)

    def with_default_embedding_model(self, model: str | None) -> Config:
        """Return the settings with another default embedding model; None removes it."""
        return replace(self, default_embedding_model=model)

    def with_owner(self, model: str, plugin: str | None) -> Config:
        """Return the settings with `plugin` as the provider of `model`; None removes the choice."""
        owners = {known: owner for known, owner in self.owners.items() if known != model}
        return replace(self, owners=owners if plugin is None else {**owners, model: plugin})

    def with_logging(self, on: bool) -> Config:
        """Return the settings with logging on or off."""
        return replace(self, logging=on)

    def with_timeouts(self, timeouts: Timeouts) -> Config:
        """Return the settings with other deadlines."""
        return replace(self, timeouts=timeouts)

    def with_disabled(self, plugin: str, is_disabled: bool) -> Config:
        """Return the settings with a plugin disabled, or enabled again.

        Args:
            plugin: its `PluginRecord.grant_key`.
            is_disabled: what it shall be.
        """
        others = tuple(known for known in self.disabled if known != plugin)
        return replace(self, disabled=(*others, plugin) if is_disabled else others)


def load_config(paths: Paths) -> Config:
    """Return the user's settings; without a file, the defaults.

    Raises:
        UsageProblem: the file is not JSON, or a member is not what it must be.
        StoreProblem: the file cannot be read.
    """
    path = paths.config
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise StoreProblem(f"the settings {path} cannot be read: {error.strerror}.") from error
    return _parse(path, content)


def patience_with(paths: Paths, plugin: str) -> Patience:
    """Return how long a plugin is waited for in the command that runs.

    Raises:
        UsageProblem, StoreProblem: as for `load_config`.
    """
    return load_config(paths).timeouts.patience(plugin)


def change_config(paths: Paths, change: Callable[[Config], Config]) -> Config:
    """Change the settings, safely against other processes that do the same.

    Args:
        paths: the user folder.
        change: gets the settings as they are and returns them as they shall be.

    Returns:
        The new settings.

    Raises:
        UsageProblem: the file is there but wrong; it is not overwritten.
        StoreProblem: the file cannot be read or written.
    """
    import json

    from cellwall_kernel.private_files import locked
    from cellwall_kernel.private_files import replace as replace_file

    paths.folder()
    with locked(paths.config):
        config = change(load_config(paths))
        replace_file(paths.config, json.dumps(_members(config), indent=2).encode() + b"\n")
    return config


def _members(config: Config) -> dict[str, Any]:
    """The file's members: only what differs from the defaults, and what is not ours."""
    members: dict[str, Any] = dict(config.unknown)
    if config.default_model is not None:
        members["default_model"] = config.default_model
    if config.default_embedding_model is not None:
        members["default_embedding_model"] = config.default_embedding_model
    if config.owners:
        members["owners"] = dict(config.owners)
    if timeouts := config.timeouts.members():
        members["timeouts"] = timeouts
    if config.idle_stop_s is not None:
        members["idle_stop_s"] = config.idle_stop_s
    if not config.logging:
        members["logging"] = False
    if config.sandbox:
        members["sandbox"] = dict(config.sandbox)
    if config.disabled:
        members["disabled"] = list(config.disabled)
    return members


def _parse(path: Path, content: bytes) -> Config:
    import json

    try:
        members: object = json.loads(content)
    except UnicodeDecodeError:
        raise _wrong(path, "it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise _wrong(path, f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _wrong(path, "it is nested too deeply") from None
    if not isinstance(members, dict):
        raise _wrong(path, "it must hold one JSON object")
    unknown = dict(cast("dict[str, Any]", members))
    for name, (is_right, meaning) in _MEMBERS.items():
        if name in unknown and not is_right(unknown[name]):
            raise _wrong(path, f"'{name}' must be {meaning}")
    known = {name: unknown.pop(name) for name in _MEMBERS if name in unknown}
    if "disabled" in known:
        known["disabled"] = tuple(known["disabled"])
    if "timeouts" in unknown:
        try:
            known["timeouts"] = Timeouts.parse(unknown.pop("timeouts"))
        except ValueError as error:
            raise _wrong(path, str(error)) from None
    return Config(**known, unknown=unknown)


def _wrong(path: Path, cause: str) -> UsageProblem:
    return UsageProblem(f"the settings {path} are wrong: {cause}; correct the file, or move it away.")


def _is_text_table(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(entry, str) for entry in cast("dict[str, object]", value).values()
    )


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in cast("list[object]", value))


def _is_sandbox(value: object) -> bool:
    return _is_text_table(value) and cast("dict[str, str]", value).get("minimum", "PARTIAL") in _LEVELS


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


_LEVELS = ("STRONG", "PARTIAL", "NONE")

_MEMBERS: dict[str, tuple[Callable[[object], bool], str]] = {
    "default_model": (lambda value: value is None or isinstance(value, str), "the name of a model"),
    "default_embedding_model": (
        lambda value: value is None or isinstance(value, str),
        "the name of an embedding model",
    ),
    "owners": (_is_text_table, "an object of model names and plugin names"),
    "idle_stop_s": (_is_seconds, "a number of seconds, 0 or more"),
    "logging": (lambda value: isinstance(value, bool), "true or false"),
    "disabled": (_is_text_list, "a list of plugins"),
    "sandbox": (_is_sandbox, f'an object whose "minimum" is one of {", ".join(_LEVELS)}'),
}
