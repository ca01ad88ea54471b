"""What a plugin may know and ask of the host: its folders, its data files, its keys.

One process holds one plugin and runs one call at a time, so this is state of the process and not of a thread:
an author's own threads may ask too. `_session` fills it in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwall_wire import AssetFile, InitializeParams

    from ._asking import Asking

__all__ = ["Asset", "Context", "assets", "context", "data_dir", "get_key", "user_dir"]


class Asset:
    """A data file that the host fetched and verified, or that the user added; for reading only.

    Attributes:
        name: the name it was declared under.
        sha256: its hash, where it is known.
        title: a name for display, or None.
        user: whether the user added it.
    """

    __slots__ = ("_file", "name")

    def __init__(self, name: str, file: AssetFile) -> None:
        self.name = name
        self._file = file

    @property
    def path(self) -> Path:
        """Where the file is."""
        from pathlib import Path

        return Path(self._file.path)

    @property
    def sha256(self) -> str | None:
        """The file's hash in hexadecimal, where it is known."""
        return self._file.sha256

    @property
    def title(self) -> str | None:
        """A name for display."""
        return self._file.title

    @property
    def user(self) -> bool:
        """Whether the user added the file."""
        return self._file.user

    def __repr__(self) -> str:
        return f"Asset({self.name!r}, {self._file.path!r})"


class Context:
    """What the host told this process, and the way to ask it more.

    Attributes:
        told: the parameters of `initialize`; None before it came.
        asking: asks the host on behalf of the call that runs now; None outside of a cell.
    """

    __slots__ = ("asking", "told")

    def __init__(self) -> None:
        self.told: InitializeParams | None = None
        self.asking: Asking | None = None

    @property
    def scratch(self) -> str | None:
        """The folder of blobs and temporary files."""
        return self.told.dirs.scratch if self.told is not None else None


context = Context()
"""The one context of the process."""


def assets() -> Mapping[str, Asset]:
    """Give the plugin's data files by name: those it declared that are there, and those the user added."""
    return {name: Asset(name, file) for name, file in _told().assets.items()}


def data_dir() -> Path:
    """Give the folder that is the plugin's own and is kept between runs."""
    from pathlib import Path

    return Path(_told().dirs.data)


def user_dir() -> Path:
    """Give the same folder as data_dir(), under the name that plugins written for `llm` use."""
    return data_dir()


def get_key(alias: str) -> str:
    """Ask the host for an API key that a model of the plugin declared; only while a call runs.

    Args:
        alias: the name under which the user stored it, as in `llm keys set ALIAS`.

    Raises:
        KeyMissing: the user has stored none.
        ModelError: the plugin may not have this key, or no call is running.
    """
    if context.asking is None:
        raise ModelError(f"The key '{alias}' can be asked for only inside a plugin that Cellwall runs.")
    return context.asking.key(alias)


def _told() -> InitializeParams:
    told: Any = context.told
    if told is None:
        raise ModelError("This plugin is not run by Cellwall, so it has no folders and no data files.")
    return told  # type: ignore[no-any-return]
