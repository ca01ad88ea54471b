"""`llm PLUGIN models|pull|add|remove`: the data files of a plugin whose manifest declares some.

The group is the same for every such plugin and knows none of them: which files there are, and which may be
added, stands in the manifest. `find_group` is what the root command asks about a word that is no command of
its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import NotFound

if TYPE_CHECKING:
    from cellwall_kernel.assets.spec import AssetSpec, FileKind
    from cellwall_kernel.assets.user_files import UserFile
    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.manifest import Manifest
    from cellwall_kernel.paths import Paths

__all__ = ["data_files_group", "find_group"]


def find_group(name: str, paths: Paths) -> click.Group | None:
    """Return the commands for a plugin's data files; None if there is no such plugin or it has none.

    Args:
        name: the plugin's.
        paths: the user folder.

    Raises:
        StoreProblem: the user folder cannot be read.
    """
    from cellwall_kernel.catalogue import Catalogue

    entry = Catalogue.load(paths).entries.get(name)
    manifest = entry.record.manifest if entry is not None else None
    if entry is None or manifest is None or not (manifest.assets or manifest.files):
        return None
    return data_files_group(name, manifest, reserved=_names_of_its_own(entry))


def data_files_group(
    plugin: str, manifest: Manifest, *, reserved: frozenset[str] = frozenset()
) -> click.Group:
    """Build the command group of a plugin.

    Args:
        plugin: its name, which is the group's.
        manifest: what it declares.
        reserved: names that a file of the user must not have.
    """
    group = click.Group(
        plugin,
        help=f"The data files of the plugin '{plugin}'.",
        context_settings=HELP_SETTINGS,
        no_args_is_help=True,
    )
    group.add_command(_models_command(plugin, manifest))
    if manifest.assets:
        group.add_command(_pull_command(plugin, manifest))
    if manifest.files:
        taken = reserved | {spec.name for spec in manifest.assets}
        group.add_command(_add_command(plugin, manifest.files, taken))
    group.add_command(_remove_command(plugin, manifest))
    return group


def _models_command(plugin: str, manifest: Manifest) -> click.Command:
    @click.command("models", short_help="List the files: the plugin's and yours.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, with paths.")
    @pass_app
    def models(app: App, as_json: bool) -> None:
        """List the files: those that the plugin brings along, and yours."""
        from cellwall_kernel.assets.progress import human_size

        rows = _rows(plugin, manifest, app.paths)
        if as_json:
            _output.print_json(rows)
            return
        _output.table(
            [
                [
                    row["name"],
                    row["title"],
                    "" if row["size"] is None else human_size(row["size"]),
                    row["state"],
                ]
                for row in rows
            ],
            ["NAME", "TITLE", "SIZE", "STATE"],
        )

    return models


def _pull_command(plugin: str, manifest: Manifest) -> click.Command:
    @click.command("pull", short_help="Fetch the files that the plugin brings along.")
    @click.argument("names", nargs=-1, metavar="[NAME]...")
    @pass_app
    def pull(app: App, names: tuple[str, ...]) -> None:
        """Fetch the files that the plugin brings along; those that are here are checked.

        Without a NAME it is about all of them.
        """
        from cellwall_kernel.assets.fetch import ensure, verify
        from cellwall_kernel.assets.progress import progress_for
        from cellwall_kernel.assets.store import is_present

        for spec in _chosen(plugin, manifest, names):
            was_here = is_present(app.paths, spec)
            if was_here and not verify(spec, app.paths):
                _output.note(f"The file of '{spec.name}' was damaged; it is fetched again.")
                was_here = False
            path = ensure(
                spec,
                app.paths,
                plugin=plugin,
                progress=progress_for(),
                takes_files=manifest.files is not None,
            )
            if was_here:
                _output.note(f"'{spec.name}' is here and its SHA-256 is right.")
            _output.line(str(path))

    return pull


def _add_command(plugin: str, kind: FileKind, reserved: frozenset[str]) -> click.Command:
    @click.command("add")
    @click.argument("path", type=click.Path(path_type=Path))
    @click.option("--name", help="What it is to be called; by default its file's name without the ending.")
    @click.option(
        "--copy", is_flag=True, help="Take a copy into the user folder, instead of using it where it is."
    )
    @pass_app
    def add(app: App, path: Path, name: str | None, copy: bool) -> None:
        """Use a file of yours as a model."""
        from cellwall_kernel.assets.progress import human_size
        from cellwall_kernel.assets.user_files import add_file

        chosen, file = add_file(plugin, path, name, kind=kind, paths=app.paths, reserved=reserved, copy=copy)
        _output.note(
            f'Added {file.path} ({human_size(file.size)}). Try it: llm -m {chosen} "Tell me about tea."'
        )
        _output.line(chosen)

    return add


def _remove_command(plugin: str, manifest: Manifest) -> click.Command:
    @click.command("remove", short_help="Forget a file of yours, or delete a downloaded one.")
    @click.argument("name")
    @pass_app
    def remove(app: App, name: str) -> None:
        """Forget a file of yours, which stays where it is, or delete a downloaded one."""
        from cellwall_kernel.assets.store import asset_path, discard, is_present
        from cellwall_kernel.assets.user_files import remove_file, user_files

        spec = next((spec for spec in manifest.assets if spec.name == name), None)
        if spec is None or name in user_files(plugin, app.paths):
            file = remove_file(plugin, name, paths=app.paths)
            kept = "" if file.copied else f"; the file {file.path} stays"
            _output.note(f"'{name}' is forgotten{kept}.")
        elif is_present(app.paths, spec):
            discard(asset_path(app.paths, spec))
            _output.note(
                f"The downloaded file of '{name}' is deleted; it is fetched again when it is needed."
            )
        else:
            raise NotFound(f"the file of '{name}' is not downloaded.")

    return remove


def _rows(plugin: str, manifest: Manifest, paths: Paths) -> list[dict[str, Any]]:
    from cellwall_kernel.assets.user_files import user_files

    declared = [_declared_row(spec, paths) for spec in manifest.assets]
    return declared + [_user_row(name, file) for name, file in sorted(user_files(plugin, paths).items())]


def _declared_row(spec: AssetSpec, paths: Paths) -> dict[str, Any]:
    from cellwall_kernel.assets.store import asset_path, is_present

    here = is_present(paths, spec)
    path = asset_path(paths, spec)
    return {
        "name": spec.name,
        "title": spec.label,
        "size": path.stat().st_size if here else spec.size,
        "state": "present" if here else "not downloaded",
        "path": str(path) if here else None,
        "sha256": spec.sha256,
        "license": spec.license,
    }


def _user_row(name: str, file: UserFile) -> dict[str, Any]:
    from cellwall_kernel.assets.user_files import is_unchanged

    path = Path(file.path)
    unchanged = is_unchanged(file)
    state = "user file" if unchanged else "changed" if path.is_file() else "missing"
    return {
        "name": name,
        "title": path.name,
        "size": file.size,
        "state": state,
        "path": file.path,
        "sha256": file.sha256 if unchanged else None,
        "license": None,
    }


def _chosen(plugin: str, manifest: Manifest, names: tuple[str, ...]) -> list[AssetSpec]:
    known = {spec.name: spec for spec in manifest.assets}
    for name in names:
        if name not in known:
            raise NotFound(f"plugin '{plugin}' brings along no file '{name}'; it knows {', '.join(known)}.")
    return [known[name] for name in names] or list(known.values())


def _names_of_its_own(entry: Entry) -> frozenset[str]:
    """Ids and aliases of the plugin's models that do not stem from files of the user."""
    manifest = entry.record.manifest
    declared = {spec.name for spec in manifest.assets} if manifest is not None else set[str]()
    own = [model for model in entry.models if not model.assets or declared.intersection(model.assets)]
    return frozenset(name for model in own for name in (model.id, *model.aliases))
