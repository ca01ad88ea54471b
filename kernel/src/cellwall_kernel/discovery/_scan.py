"""From the folders of an environment to records: who shadows whom, which names collide, what makes a key."""

# ruff: noqa: PTH118 - hundreds of paths for every scan

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwall_kernel.discovery._dists import Distribution, EntryPoint, distributions_in, normal_name
from cellwall_kernel.discovery._records import Environment, PluginRecord, Scan, Stamp
from cellwall_kernel.discovery._sources import layout_of, manifest_path, watch_sources
from cellwall_kernel.manifest import ManifestFile, read_manifest
from cellwall_wire import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["scan_environment"]

SDK_DISTRIBUTION = "cellwall-sdk"
SDK_MODULE = "cellwall_sdk"

KEY_FORMAT = "1"
"""Goes into every key: raise it when an older catalogue must not be believed, whatever it says."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """The part of a key that stands for code, and what to watch where only the files themselves can tell."""

    digest: str
    watched: list[Stamp]


def scan_environment(environment: Environment) -> Scan:
    """Find the plugins of an environment; see `discovery.scan`."""
    shown: dict[str, Distribution] = {}
    watched = [Stamp.of(folder) for _, folder in environment.folders]
    for _, folder in environment.folders:
        for dist in distributions_in(folder):
            shown.setdefault(
                normal_name(dist.name), dist
            )  # the first on the path is the one that is imported
    sdk = shown.get(SDK_DISTRIBUTION)
    sdk_sources = _sources_of(sdk, SDK_MODULE) if sdk is not None else _Sources("none", [])
    watched.extend(sdk_sources.watched)

    records: list[PluginRecord] = []
    points = [(dist, point) for dist in shown.values() for point in dist.entry_points()]
    names = _unique_names(points)
    for (dist, point), name in zip(points, names, strict=True):
        record, stamps = _record(dist, point, name, environment, sdk_sources.digest)
        records.append(record)
        watched.extend(stamps)
    return Scan(
        records=sorted(records, key=lambda record: record.name),
        watched=list({stamp.path: stamp for stamp in watched}.values()),
        installed=_installed(shown.values()),
    )


def _record(
    dist: Distribution, point: EntryPoint, name: str, environment: Environment, sdk: str
) -> tuple[PluginRecord, list[Stamp]]:
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
        sdk,
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
