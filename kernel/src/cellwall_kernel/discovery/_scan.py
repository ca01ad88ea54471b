"""From the folders of an environment to records: who shadows whom, which names collide, what makes a key."""

# ruff: noqa: PTH118, PTH120 - hundreds of paths for every scan

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwall_kernel.discovery._dists import Distribution, EntryPoint, distributions_in
from cellwall_kernel.discovery._names import normal_name
from cellwall_kernel.discovery._records import Environment, PluginRecord, Scan, Stamp
from cellwall_kernel.discovery._sources import code_folders, layout_of, manifest_path, watch_sources
from cellwall_kernel.manifest import ManifestFile, read_manifest
from cellwall_wire import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["scan_environments"]

SDK_DISTRIBUTION = "cellwall-sdk"
SDK_MODULE = "cellwall_sdk"

KEY_FORMAT = "1"
"""Goes into every key: raise it when an older catalogue must not be believed, whatever it says."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """The part of a key that stands for code, and what to watch where only the files themselves can tell."""

    digest: str
    watched: list[Stamp]


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry point, and the environment that it was found in."""

    environment: Environment
    dist: Distribution
    point: EntryPoint
    sdk: str
    code: tuple[str, ...]


def scan_environments(environments: Sequence[Environment]) -> Scan:
    """Find the plugins of all environments; see `discovery.scan`."""
    found: list[_Found] = []
    watched: list[Stamp] = []
    installed: list[Distribution] = []
    own = {normal_name(environment.only) for environment in environments if environment.only is not None}
    for environment in environments:
        watched += [Stamp.of(folder) for _, folder in environment.folders]
        shown = _distributions(environment)
        installed += shown.values()
        sdk = shown.get(SDK_DISTRIBUTION)
        sources = _sources_of(sdk, SDK_MODULE) if sdk is not None else _Sources("none", [])
        watched += sources.watched
        edited = (folder for dist in shown.values() for folder in _edited_code(dist))
        code = tuple(dict.fromkeys((*environment.code, *edited)))
        plugins = [shown.get(normal_name(environment.only))] if environment.only is not None else [
            dist for name, dist in shown.items() if name not in own
        ]  # fmt: skip
        found += [
            _Found(environment, dist, point, sources.digest, code)
            for dist in plugins if dist is not None for point in dist.entry_points()
        ]  # fmt: skip
    records: list[PluginRecord] = []
    for each, name in zip(found, _unique_names([(each.dist, each.point) for each in found]), strict=True):
        record, stamps = _record(each, name)
        records.append(record)
        watched.extend(stamps)
    return Scan(
        records=sorted(records, key=lambda record: record.name),
        watched=list({stamp.path: stamp for stamp in watched}.values()),
        installed=_installed(installed),
    )


def _distributions(environment: Environment) -> dict[str, Distribution]:
    """Return an environment's distributions by normal name; the first on the path is the one imported."""
    shown: dict[str, Distribution] = {}
    for _, folder in environment.folders:
        for dist in distributions_in(folder):
            shown.setdefault(normal_name(dist.name), dist)
    return shown


def _edited_code(dist: Distribution) -> list[str]:
    """List the folders that hold the code of a distribution installed for editing; empty for others."""
    project = dist.project_folder()
    return code_folders(layout_of(dist, project)) if project is not None else []


def _record(found: _Found, name: str) -> tuple[PluginRecord, list[Stamp]]:
    dist, point, environment = found.dist, found.point, found.environment
    place: str | None = None
    project = dist.project_folder()
    target = _target(point.value)
    manifest = ManifestFile()
    sources = _Sources(_digest(dist.read("RECORD")), [])
    problem = None
    if target is None:
        problem = (
            f"its entry point '{point.name} = {point.value}' is not MODULE or MODULE:ATTRIBUTE; "
            f"correct it in the project of {dist.name} and install that again."
        )
    else:
        module = target.partition(":")[0]
        layout = layout_of(dist, project)
        sources = _sources_of(dist, module)
        place = manifest_path(layout, module)
        manifest = read_manifest(place) if place is not None else manifest
        problem = manifest.problem
    parts = (
        KEY_FORMAT,
        normal_name(dist.name),
        dist.version,
        point.value,
        sources.digest,
        environment.tag,
        found.sdk,
        str(PROTOCOL),
        _digest(manifest.content),
    )
    record = PluginRecord(
        name=name,
        dist=dist.name,
        version=dist.version,
        target=target or point.value,
        location=dist.location,
        python=environment.python,
        folders=environment.folders,
        code=found.code,
        environment=environment.root,
        manifest_folder=os.path.dirname(place) if place is not None else None,
        editable=project is not None,
        source_root=project,
        key=_digest("\0".join(parts).encode("utf-8", "surrogatepass")),
        manifest=manifest.manifest,
        problem=problem,
    )
    return record, [*sources.watched, Stamp.of(os.path.join(dist.info, "entry_points.txt"))]


def _sources_of(dist: Distribution, module: str) -> _Sources:
    """Tell one state of a distribution's code from another.

    An installer's RECORD holds a hash of every file. Sources that are edited in place have none, nor have
    packages of some Linux distributions: there the files' times and sizes stand in.
    """
    project = dist.project_folder()
    record = dist.read("RECORD")
    if project is None and record:
        return _Sources(_digest(record), [])
    stamps = watch_sources(layout_of(dist, project), module)
    files = [f"{stamp.path}\0{stamp.mtime_ns}\0{stamp.size}" for stamp in stamps if stamp.size >= 0]
    return _Sources(_digest("\0".join([*files, _digest(record)]).encode("utf-8", "surrogateescape")), stamps)


def _installed(dists: Iterable[Distribution]) -> str:
    """Tell one set of distributions from another; a folder's time would also tell of bytecode caches."""
    stamps = sorted((stamp.path, stamp.mtime_ns) for stamp in (Stamp.of(dist.info) for dist in dists))
    return _digest("\0".join(f"{path}\0{time}" for path, time in stamps).encode("utf-8", "surrogateescape"))


def _target(value: str) -> str | None:
    """Return MODULE or MODULE:ATTRIBUTE of an entry point's value, without extras; None if it is neither."""
    plain = value.partition("[")[0].strip()
    module, colon, attribute = (part.strip() for part in plain.partition(":"))
    if not all(part.isidentifier() for part in module.split(".")):
        return None
    if colon and not all(part.isidentifier() for part in attribute.split(".")):
        return None
    return f"{module}:{attribute}" if colon else module


def _unique_names(points: list[tuple[Distribution, EntryPoint]]) -> list[str]:
    """Name every plugin: by its entry point, and by its distribution too where several use that name.

    None of them keeps the plain name: it would pass to somebody else with the next installation, and with it
    the plugin's folder and the user's settings for it. Capitals do not tell two names apart, because folders
    are made from them.
    """
    plain = [point.name or normal_name(dist.name) for dist, point in points]
    folded = [name.casefold() for name in plain]
    names: list[str] = []
    for (dist, point), name in zip(points, plain, strict=True):
        if folded.count(name.casefold()) == 1:
            names.append(name)
            continue
        full = f"{name}@{normal_name(dist.name)}"
        names.append(f"{full}:{point.value}" if full in names else full)
    return names


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
