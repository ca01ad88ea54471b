"""The data files that a plugin is told about when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.assets.store import asset_path, is_present
from cellwall_kernel.assets.user_files import is_unchanged, user_files
from cellwall_kernel.errors import AssetProblem, NotFound
from cellwall_wire import AssetFile

if TYPE_CHECKING:
    from collections.abc import Collection

    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.assets.user_files import UserFile
    from cellwall_kernel.manifest import Manifest
    from cellwall_kernel.paths import Paths

__all__ = ["resolve_for_launch"]


def resolve_for_launch(
    manifest: Manifest | None,
    needed: Collection[str],
    plugin: str,
    paths: Paths,
    progress: Progress | None = None,
) -> dict[str, AssetFile]:
    """Return the data files for a plugin's `initialize`, after fetching those that are needed and missing.

    It blocks while something is fetched, and is quick otherwise.

    Args:
        manifest: what the plugin declares; None when it has no manifest.
        needed: names that must be there (a model's `assets`); others are passed on only if they are here.
        plugin: its name.
        paths: the user folder.
        progress: is told about downloads; None shows nothing.

    Returns:
        Name to file: declared ones that are here, and the user's own ones (`user` is true).

    Raises:
        AssetProblem: a needed file cannot be fetched, or one of the user's is gone.
        NotFound: a needed name is neither declared nor added.
        StoreProblem: the user folder cannot be read or written.
    """
    files: dict[str, AssetFile] = {}
    for spec in manifest.assets if manifest else ():
        if spec.name in needed and not is_present(paths, spec):
            from cellwall_kernel.assets.fetch import ensure
            from cellwall_kernel.assets.progress import SilentProgress

            takes_files = bool(manifest and manifest.files)
            ensure(spec, paths, plugin=plugin, progress=progress or SilentProgress(), takes_files=takes_files)
        if is_present(paths, spec):
            files[spec.name] = AssetFile(str(asset_path(paths, spec)), spec.sha256, spec.title)
    for name, file in user_files(plugin, paths).items():
        if name not in files:
            files[name] = _user_file(name, file, plugin, is_needed=name in needed)
    missing = sorted(set(needed) - files.keys())
    if missing:
        raise NotFound(f"plugin '{plugin}' asks for the data file '{missing[0]}', which it does not declare.")
    return files


def _user_file(name: str, file: UserFile, plugin: str, *, is_needed: bool) -> AssetFile:
    from pathlib import Path

    if is_needed and not Path(file.path).is_file():
        raise AssetProblem(
            f"the file {file.path} of '{name}' is gone; put it back, or forget it with "
            f"`llm {plugin} remove {name}`."
        )
    # A digest that may no longer be true is not passed on.
    return AssetFile(file.path, file.sha256 if is_unchanged(file) else None, name, user=True)
