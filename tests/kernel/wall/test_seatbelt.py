"""The profile for macOS: its text, and its effect where there is a `sandbox-exec`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.wall import Mechanisms, Policy
from cellwall_kernel.wall._seatbelt import profile, quoted, wrapping_arguments

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "/opt/python/bin/python3"
BOUND_S = 20
SANDBOX_EXEC = Mechanisms.detect().seatbelt


def rules(text: str, operations: str) -> str:
    """The rules about some operations, with all their lines."""
    return "\n".join(part for part in text.split("\n(") if part.startswith(f"allow {operations}"))


def test_a_profile_refuses_all_that_it_does_not_name() -> None:
    """sandbox.md §8: deny is the default, and no network or program is allowed unless granted."""
    text = profile(Policy(cwd="/data"), interpreter=PYTHON)

    assert text.startswith("(version 1)\n(deny default)\n")
    assert "network" not in rules(text, "network")
    assert f'(literal "{PYTHON}")' in rules(text, "process-exec")


def test_folders_stand_under_their_real_paths(tmp_path: Path) -> None:
    """sandbox.md §8: `/var` is `/private/var`, and only the latter counts."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    policy = Policy(cwd="/", read=(str(tmp_path / "link"),), write=(str(tmp_path / "link"),))
    text = profile(policy, interpreter=PYTHON)

    assert f'(subpath "{os.path.realpath(real)}")' in rules(text, "file-read* file-write*")
    assert f"{tmp_path}/link" not in text


def test_no_path_can_end_its_text_early() -> None:
    """Kernel policy: a granted folder is a value of the profile, never a part of its language."""
    hostile = '/x")(allow default)("\\'
    text = profile(Policy(cwd="/", read=(hostile,)), interpreter=PYTHON)

    assert r'"/x\")(allow default)(\"\\"' == quoted(hostile)
    assert quoted(hostile) in text
    assert "\n(allow default)" not in text
    with pytest.raises(ValueError, match="zero byte"):
        quoted("/x\0y")


def test_the_network_of_a_profile_follows_the_policy() -> None:
    """sandbox.md §8: the proxy's port for listed hosts, all of it for "any"."""
    hosts = profile(Policy(cwd="/", network="hosts"), interpreter=PYTHON, port=4711)
    everything = profile(Policy(cwd="/", network="any"), interpreter=PYTHON)

    assert 'allow network-outbound (remote ip "localhost:4711"))' == rules(hosts, "network-outbound").strip()
    assert '(remote ip "*:*")' in everything
    assert "network" not in rules(profile(Policy(cwd="/", network="hosts"), interpreter=PYTHON), "network")


def test_only_granted_programs_can_be_executed() -> None:
    """sandbox.md §8: beside the interpreter, which has to take over from `sandbox-exec`."""
    text = rules(profile(Policy(cwd="/", execute=("/usr/bin",)), interpreter=PYTHON), "process-exec")

    assert '(subpath "/usr/bin")' in text
    assert "/usr/bin" not in rules(profile(Policy(cwd="/"), interpreter=PYTHON), "process-exec")


@pytest.mark.skipif(SANDBOX_EXEC is None, reason="there is no sandbox-exec here: it needs a Mac")
def test_a_profile_keeps_a_real_process_from_files(tmp_path: Path) -> None:
    """sandbox.md §8: what nobody has run is not promised."""
    assert SANDBOX_EXEC is not None
    (tmp_path / "secret").write_text("secret")
    own = tmp_path / "own"
    own.mkdir()
    prefixes = (sys.prefix, sys.base_prefix, "/usr", "/bin")
    policy = Policy(cwd=str(own), read=prefixes, write=(str(own),))
    command = [
        *wrapping_arguments(SANDBOX_EXEC, policy, interpreter=sys.executable),
        *(sys.executable, "-I", "-S", "-c"),
        f"open({str(own / 'x')!r}, 'w').close()\nopen({str(tmp_path / 'secret')!r})",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)

    assert "PermissionError" in done.stderr
    assert (own / "x").exists()
