"""The user folder: where every file and folder of a user is.

    keys.json       config.json     logs.db
    grants.json     what every plugin may do            pins/   the files that each of those was made of
    wall.json       doctor.json     what was found out about this machine's wall
    crashes.json    which plugins crashed lately, and until when they are not started
    holds/          which plugins are kept running, by which process
    environments/NAME/              the environment that `llm install` made for a plugin, in generations
    catalogue/      what every installed plugin offers, one file per environment
    assets/         downloaded data files by SHA-256, user.json, partial/
    plugins/NAME/   data/ and tmp/ of one plugin (its home and its TMPDIR); beside them, out of its reach,
                    stderr.log and store.db, the values that the host keeps for it

The folder is `$CELLWALL_HOME`, else the platform's folder for an application's settings. One rule holds
everywhere: asking for a *folder* makes it, for its owner alone (0700); asking for a *file* only names it.
What is in the files is left to the modules that own them; how a private file is replaced stands in
`private_files`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.errors import StoreProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOME_VARIABLE", "PRIVATE_FOLDER_MODE", "Paths"]

HOME_VARIABLE = "CELLWALL_HOME"
PRIVATE_FOLDER_MODE = 0o700

# A plugin's name comes from a stranger's packaging metadata and becomes a folder's name. Only what is a safe
# and distinct name on every file system is taken as it is: no separators, no leading dot, no capitals (macOS
# folds case), no "~" (it marks a hash).
_PLAIN_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,63}")
_UNSAFE_CHARACTERS = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Paths:
    """All places of one user folder.

    Args:
        root: the user folder, absolute; it need not exist yet.
    """

    root: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Paths:
        """Return the paths of the user who runs this process; nothing is made by asking.

        Args:
            environ: the environment variables, if not this process's own.
        """
        chosen = (os.environ if environ is None else environ).get(HOME_VARIABLE, "")
        if chosen:
            return cls(Path(chosen).expanduser().absolute())
        import click  # only for the platform's rule; a command line has loaded it already

        return cls(Path(click.get_app_dir("cellwall")).absolute())

    @property
    def keys(self) -> Path:
        """The file of API keys, readable by its owner alone."""
        return self.root / "keys.json"

    @property
    def config(self) -> Path:
        """The file of settings."""
        return self.root / "config.json"

    @property
    def grants(self) -> Path:
        """The file of what the user has granted to plugins, readable by its owner alone."""
        return self.root / "grants.json"

    @property
    def crashes(self) -> Path:
        """The file of which plugins crashed lately, readable by its owner alone."""
        return self.root / "crashes.json"

    @property
    def logs_db(self) -> Path:
        """The SQLite file of conversations."""
        return self.root / "logs.db"

    @property
    def catalogue_dir(self) -> Path:
        """The folder of cached plugin descriptions; made on access."""
        return self.folder("catalogue")

    @property
    def assets(self) -> Path:
        """The folder of fetched data files; made on access."""
        return self.folder("assets")

    def plugin_data(self, name: str) -> Path:
        """Return the folder of a plugin's own files (its home and working folder); made on access."""
        return self.folder("plugins", _folder_name(name), "data")

    def plugin_tmp(self, name: str) -> Path:
        """Return the folder for a plugin's temporary files and for blobs passed to it; made on access."""
        return self.folder("plugins", _folder_name(name), "tmp")

    def plugin_log(self, name: str) -> Path:
        """Return the file that collects what a plugin prints; its folder is made on access."""
        return self.folder("plugins", _folder_name(name)) / "stderr.log"

    def plugin_store(self, name: str) -> Path:
        """Return the SQLite file of the values that a plugin has stored; its folder is made on access."""
        return self.folder("plugins", _folder_name(name)) / "store.db"

    def folder(self, *names: str) -> Path:
        """Return the folder `names` below the user folder, made for its owner alone (or that itself).

        A folder that exists keeps its mode: it may be one that the user shares on purpose.

        Raises:
            StoreProblem: it cannot be made, for instance because a file has its name.
        """
        here = self.root
        try:
            if not here.is_dir():
                here.parent.mkdir(parents=True, exist_ok=True)
                here.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
            for name in names:
                here = here / name
                if not here.is_dir():
                    here.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise StoreProblem(
                f"the folder {here} cannot be made: {error.strerror}; make it possible, or set "
                f"{HOME_VARIABLE} to a folder that you can write."
            ) from error
        return here


def _folder_name(plugin: str) -> str:
    """Return the name of a plugin's folder: the plugin's own where that is safe, else a safe form and a hash.

    Two plugins never share a folder, whatever they call themselves.
    """
    if _PLAIN_NAME.fullmatch(plugin):
        return plugin
    import hashlib

    digest = hashlib.sha256(plugin.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_UNSAFE_CHARACTERS.sub('-', plugin.lower())[:40]}~{digest}"
