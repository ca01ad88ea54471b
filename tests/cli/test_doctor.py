"""`llm doctor`: the report for people and scripts, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_kernel.wall import Mechanisms

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

BOUND_S = 45

MEMBERS = {
    *("level", "missing", "made_of", "mechanisms", "start_ms", "findings", "not_covered", "advice"),
    *("minimum", "is_enough", "plugins"),
}

WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
code = b"".join(struct.pack("<HBBI", *row) for row in [
    (0x20, 0, 0, 0),                # load the number of the call
    (0x15, 0, 1, 444),              # landlock_create_ruleset?
    (0x06, 0, 0, 0x0005_0000 | 38), # no such call
    (0x06, 0, 0, 0x7FFF_0000),      # else allowed
])
array = ctypes.create_string_buffer(code, len(code))
head = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(array))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, head, 0, 0) == 0, ctypes.get_errno()
os.execve(sys.argv[1], sys.argv[1:], os.environ)
"""
"""Runs a command as a container does whose profile does not know Landlock."""


def members_of(llm: CommandLine, *, code: int = 0) -> dict[str, Any]:
    """What `llm doctor --json` prints."""
    ended = llm("doctor", "--json")
    assert (code, "") == (ended.code, ended.err if code == 0 else "")
    members: dict[str, Any] = json.loads(ended.out)
    return members


def test_the_report_for_people_begins_with_the_level(llm: CommandLine) -> None:
    """sandbox.md §13: one line for the level and what it is made of, one for each promise."""
    ended = llm("doctor")
    first, *lines = ended.out.splitlines()

    assert first.startswith("sandbox: ")
    for title in (
        "files outside grants",
        'network "none"',
        "network by name",
        "signals to the host",
        "programs",
    ):
        assert any(line.startswith(f"  {title} ") for line in lines)
    assert any(line.startswith("  not covered: ") for line in lines)


def test_the_json_of_the_doctor_always_has_the_same_members(llm: CommandLine) -> None:
    """A script need not know what was found."""
    members = members_of(llm, code=0 if Mechanisms.detect().confines else 1)

    assert MEMBERS == members.keys()
    assert {"unsandboxed", "cannot_start"} == members["plugins"].keys()
    for finding in members["findings"]:
        assert {"name", "aspect", "verdict", "text", "attempts"} == finding.keys()
        assert all({"name", "verdict", "text"} == attempt.keys() for attempt in finding["attempts"])


def test_the_minimum_of_the_settings_decides_the_exit_code(llm: CommandLine) -> None:
    """Kernel policy: `sandbox.minimum`; PARTIAL without one."""
    llm.home.mkdir()
    (llm.home / "config.json").write_text('{"sandbox": {"minimum": "NONE"}}')
    members = members_of(llm)
    assert (members["minimum"], members["is_enough"]) == ("NONE", True)
    (llm.home / "config.json").write_text('{"sandbox": {"minimum": "STRONG"}}')
    assert llm("doctor").code == (0 if members["level"] == "STRONG" else 1)
    (llm.home / "config.json").write_text('{"sandbox": {"minimum": "GREAT"}}')
    wrong = llm("doctor")
    assert wrong.code == 2
    assert "'sandbox' must be an object whose \"minimum\" is one of STRONG, PARTIAL, NONE" in wrong.err


@pytest.mark.skipif(sys.platform != "linux", reason="the container is an imitation of one on Linux")
def test_a_machine_without_a_sandbox_is_reported_and_refused(llm: CommandLine, tmp_path: Path) -> None:
    """sandbox.md §7: where a container allows neither Landlock nor bubblewrap, the doctor says NONE."""
    llm.variables["PATH"] = str(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, *llm.argv("doctor")],
        capture_output=True,
        text=True,
        env=llm.environment,
        timeout=BOUND_S,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stdout.startswith("sandbox: NONE (seccomp)")
    assert "files outside grants            NOT REFUSED succeeded: read" in ended.stdout
    assert "missing: files; files outside grants: not refused" in ended.stdout
    assert "cannot start: plugin 'echo' was not started" in ended.stdout
    assert "apt-get install bubblewrap" in ended.stdout
    assert "The sandbox is NONE, and your settings want at least PARTIAL." in ended.stderr


def test_plugins_without_a_wall_and_plugins_that_cannot_start_are_named(llm: CommandLine) -> None:
    """sandbox.md §13: who runs as the user, and who does not run at all."""
    llm.plugin("stuck", "")
    entry_points = llm.site / "stuck-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[llm]\nstuck = not a module\n")
    llm.plugin("free", "")
    llm.home.mkdir(mode=0o700)
    grants = {"format": 1, "plugins": {"free/free": {"unsandboxed": True}}}
    (llm.home / "grants.json").write_text(json.dumps(grants))
    out = llm("doctor").out

    assert "without a wall: 'free'" in out
    assert "cannot start: its entry point 'stuck" in out
