"""The doctor against real walls: whole ones, weak ones, and ones that were broken on purpose."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from cellwall_kernel import launch
from cellwall_kernel.doctor import Examination
from cellwall_kernel.doctor._levels import theoretical
from cellwall_kernel.doctor._verdicts import level_of_missing
from cellwall_kernel.wall import Mechanisms, _wall
from cellwall_kernel.wall._landlock import make_ruleset
from cellwall_kernel.wall._seccomp import Filter, FilterPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellwall_kernel.doctor import Finding, Report
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.wall import Policy

OFF = "the test does without bubblewrap"
WHOLE = Mechanisms.detect()
ALLOW_ALL = Filter(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF_0000), ())

needs_both = pytest.mark.skipif(
    WHOLE.landlock == 0 or WHOLE.seccomp is None, reason="this machine lacks Landlock or seccomp"
)
needs_bubblewrap = pytest.mark.skipif(WHOLE.bubblewrap is None, reason=f"{WHOLE.bubblewrap_problem}")


def without_bubblewrap(**masked: Any) -> Mechanisms:
    """What this machine can do, but for bubblewrap and what is masked."""
    found = msgspec.structs.replace(WHOLE, bubblewrap=None, bubblewrap_problem=OFF)
    return msgspec.structs.replace(found, **masked)


def examine(paths: Paths, mechanisms: Mechanisms) -> Report:
    """Examine walls that are made of these mechanisms."""
    return anyio.run(Examination(paths, mechanisms=mechanisms, starts=0).run)


def filter_that_is(made: Filter) -> Callable[[FilterPolicy, str], Filter]:
    """Stands in for what builds filters, and always builds the same."""

    def build(_policy: FilterPolicy, _arch: str) -> Filter:
        return made

    return build


def no_limits(_policy: Policy, *, counts_own_namespace: bool) -> list[tuple[int, int, int]]:
    """Stands in for what plans the limits, and forgets them."""
    return []


def line(report: Report, name: str) -> Finding:
    """One line of a report."""
    return next(finding for finding in report.findings if finding.name == name)


def open_in(report: Report, name: str) -> set[str]:
    """The attempts of a line that succeeded."""
    return {each.name for each in line(report, name).tried if each.verdict == "open"}


def test_what_this_machine_should_hold_is_what_the_probes_see(paths: Paths) -> None:
    """House rule: a layer counts only if a probe in a real child saw it refuse something (sandbox.md §13)."""
    report = examine(paths, WHOLE)

    assert level_of_missing(theoretical(WHOLE)) == report.level
    assert theoretical(WHOLE).keys() == report.missing.keys()


@needs_both
def test_a_whole_wall_is_strong_with_and_without_bubblewrap(paths: Paths) -> None:
    """sandbox.md §13: STRONG is files, network, processes and host, all probed, and hosts by name."""
    if WHOLE.landlock < 6 or not WHOLE.asks:
        pytest.skip("this machine's Landlock is older than version 6, or its host cannot be asked")
    report = examine(paths, without_bubblewrap())

    assert ("STRONG", {}) == (report.level, report.missing)
    assert {"refused", "works"} == {finding.verdict for finding in report.findings}
    essential = [each for name in ("files", "processes") for each in line(report, name).tried]
    assert {"refused"} == {each.verdict for each in essential}
    assert any("names, sizes" in sentence for sentence in report.not_covered)
    assert (OFF,) == report.advice


@needs_bubblewrap
def test_behind_bubblewrap_not_even_names_can_be_seen(paths: Paths) -> None:
    """sandbox.md §1.3: it makes other files invisible, and the doctor says when that is so."""
    report = examine(paths, WHOLE)

    assert not any("names, sizes" in sentence for sentence in report.not_covered)
    assert report.made_of.endswith("around it")
    assert () == report.advice


@needs_both
@pytest.mark.parametrize("version", [1, 2, 4])
def test_an_old_landlock_lacks_only_the_signals_of_granted_programs(paths: Paths, version: int) -> None:
    """sandbox.md §1.4 and §7: a full filter makes up for all else, as long as nothing may be started."""
    report = examine(paths, without_bubblewrap(landlock=min(version, WHOLE.landlock)))

    assert ("PARTIAL", ["host"]) == (report.level, [*report.missing])
    assert {"signal", "keeper"} == open_in(report, "granted_signals")
    assert "Landlock is too old" in report.missing["host"]
    others = {finding.verdict for finding in report.findings if finding.name != "granted_signals"}
    assert {"refused", "works"} == others


@needs_both
def test_without_landlock_and_bubblewrap_files_lie_open(paths: Paths) -> None:
    """sandbox.md §5: a filter alone is no sandbox."""
    report = examine(paths, without_bubblewrap(landlock=0))

    assert report.level == "NONE"
    assert {"read", "list", "write", "create", "delete", "rename_in"} <= open_in(report, "files")
    assert "the kernel has no Landlock" in report.missing["files"]
    assert line(report, "network").verdict == "refused"


@needs_both
def test_without_a_filter_the_network_lies_open(paths: Paths) -> None:
    """sandbox.md §1.2: Landlock alone is no sandbox."""
    report = examine(paths, without_bubblewrap(seccomp=None, asks=False))

    assert report.level == "NONE"
    assert {"files", "network", "processes", "host", "hosts", "kernel"} <= report.missing.keys()
    assert {"udp", "unix", "unix_datagram"} <= open_in(report, "network")
    assert {"fork", "exec", "memfd"} <= open_in(report, "processes")
    assert {"chmod"} == open_in(report, "files")
    assert "prlimit" in open_in(report, "signals")


@needs_both
def test_hosts_by_name_need_a_namespace_or_a_host_that_is_asked(paths: Paths) -> None:
    """sandbox.md §5, "Listed hosts": without either they are not enforced, and nothing is tried."""
    report = examine(paths, without_bubblewrap(asks=False))

    assert report.level == "PARTIAL"
    assert "the kernel does not let the host answer" in report.missing["hosts"]
    assert ("open", ()) == (line(report, "hosts").verdict, line(report, "hosts").tried)


@needs_both
def test_a_filter_that_allows_everything_is_noticed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """sandbox.md §15: every layer is broken once on purpose, and the doctor sees it."""
    monkeypatch.setattr(_wall, "build_filter", filter_that_is(ALLOW_ALL))
    report = examine(paths, without_bubblewrap())

    assert report.level == "NONE"
    assert {"network", "processes", "host", "kernel", "terminal"} <= report.missing.keys()
    assert {"fork", "exec", "memfd"} <= open_in(report, "processes")
    assert "keyring" in open_in(report, "kernel")
    assert {"tiocsti"} == open_in(report, "terminal")


@needs_both
def test_a_ruleset_that_allows_all_files_is_noticed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """sandbox.md §15: likewise for Landlock."""

    def generous(policy: Policy, abi: int, *, port: int | None) -> int:
        return make_ruleset(msgspec.structs.replace(policy, write=("/",)), abi, port=port)

    monkeypatch.setattr(_wall, "make_ruleset", generous)
    report = examine(paths, without_bubblewrap())

    assert report.level == "NONE"
    assert {"files"} <= report.missing.keys()
    assert {"read", "read_link", "list", "write", "create", "delete"} <= open_in(report, "files")


@needs_both
def test_limits_that_are_left_out_are_noticed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """sandbox.md §15: likewise for the limits."""
    monkeypatch.setattr(_wall, "resource_limits", no_limits)
    report = examine(paths, without_bubblewrap())

    assert {"limits"} <= report.missing.keys()
    assert report.level == "PARTIAL"
    assert "limit_values" in open_in(report, "limits")
    assert "file_size" in open_in(report, "limits")


@needs_both
def test_a_wall_that_cannot_be_built_is_no_wall(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernel policy: a cell fails closed, and the doctor says why it did."""
    monkeypatch.setattr(_wall, "build_filter", filter_that_is(Filter(b"\xff" * 8, ())))
    report = examine(paths, without_bubblewrap())

    assert report.level == "NONE"
    assert "seccomp: Invalid argument" in report.missing["files"]
    assert {"broken", "untested"} == {finding.verdict for finding in report.findings}


@needs_both
def test_an_environment_that_is_passed_on_is_noticed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """sandbox.md §15: likewise for the variables of the host, which hold keys."""

    def leaking(environ: Mapping[str, str], *, home: str, tmp: str) -> dict[str, str]:
        return {**environ, "HOME": home, "TMPDIR": tmp}

    monkeypatch.setattr(launch, "child_environment", leaking)
    report = examine(paths, without_bubblewrap())

    assert {"host"} == report.missing.keys()
    assert {"variable"} == open_in(report, "host")


@needs_bubblewrap
def test_a_bubblewrap_that_wraps_nothing_is_noticed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """sandbox.md §15: likewise for the namespaces; without Landlock they are all that keeps files away."""

    def everything(bubblewrap: str, *_: object, **__: object) -> tuple[str, ...]:
        return (bubblewrap, "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--")

    monkeypatch.setattr(_wall, "wrapping_arguments", everything)
    report = examine(paths, msgspec.structs.replace(WHOLE, landlock=0))

    assert report.level == "NONE"
    assert {"read", "list", "write"} <= open_in(report, "files")


def descriptors() -> set[str]:
    """The numbers of what this process has open."""
    return {path.name for path in Path("/dev/fd").iterdir()}


def test_an_examination_leaves_nothing_behind(paths: Paths) -> None:
    """House rule: what is made for a look is gone after it, and no descriptor stays open."""
    before = descriptors()
    examine(paths, WHOLE)

    assert [] == list(paths.root.iterdir())
    assert before == descriptors()


@needs_both
def test_starts_are_measured_with_and_without_the_wall(paths: Paths) -> None:
    """sandbox.md §13: what a wall costs is a median of real starts."""
    report = anyio.run(Examination(paths, mechanisms=without_bubblewrap(), starts=1).run)

    assert report.start is not None
    assert report.start.bare > 0
    assert report.start.walled > 0


@pytest.mark.skipif(sys.platform == "darwin", reason="here Seatbelt is real; the wrapper is a shell script")
def test_a_seatbelt_that_holds_nothing_is_noticed(paths: Paths, tmp_path: Path) -> None:
    """sandbox.md §8: macOS's wrapper is probed like any other layer, whatever it is called."""
    wrapper = tmp_path / "sandbox-exec"
    wrapper.write_text('#!/bin/sh\ntest "$1" = -p || exit 1\nshift 2\nexec "$@"\n')
    wrapper.chmod(0o700)
    report = examine(paths, Mechanisms(seatbelt=str(wrapper)))

    assert report.level == "NONE"
    assert "untested until run on a Mac" in report.made_of
    assert line(report, "own").verdict == "works"
    assert {"read", "write", "list", "chmod"} <= open_in(report, "files")
    assert {"hosts", "limits", "network", "processes"} <= report.missing.keys()
