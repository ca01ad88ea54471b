"""How a child is started, as text; that it works is shown by test_bootstrap."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest

from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.launch import BOOTSTRAP, child_environment, plan, walled_command
from cellwall_kernel.manifest import Manifest
from cellwall_kernel.wall import Mechanisms, Policy, WallPlan

RECORD = PluginRecord(
    name="zoo",
    dist="llm-zoo",
    version="1",
    target="zoo:Plugin",
    location="/a",
    python="/opt/python",
    folders=(("site", "/a"), ("path", "/b=c")),
    key="k",
)
POLICY = Policy(cwd="/work", own=("/h", "/t"), variables={"OLLAMA_HOST": "box"})


def test_the_interpreter_is_isolated_and_told_where_the_plugin_is() -> None:
    """Isolated and without `site`: nothing but the bootstrap runs before the bootstrap."""
    launch = plan(RECORD, data="/home/data", tmp="/home/tmp", wall=None, environ={})

    assert launch.argv[:6] == ("/opt/python", "-I", "-S", "-X", "utf8", BOOTSTRAP)
    assert launch.argv[6:] == (f"host={os.getpid()}", "target=zoo:Plugin", "site=/a", "path=/b=c")
    assert (launch.cwd, launch.plugin, launch.wall) == ("/home/data", "zoo", None)


def test_a_wall_brings_the_granted_variables_and_the_working_folder() -> None:
    """What "." means and which variables were granted stands in the policy (sandbox.md §11)."""
    wall = WallPlan(policy=POLICY, mechanisms=Mechanisms(landlock=6, seccomp="x86_64"))

    launch = plan(RECORD, data="/h", tmp="/t", wall=wall, environ={"PATH": "/bin", "OLLAMA_HOST": "other"})

    assert launch.env == {"PATH": "/bin", "OLLAMA_HOST": "box", "HOME": "/h", "TMPDIR": "/t"}
    assert (launch.cwd, launch.wall) == ("/work", wall)


def test_a_cell_with_namespaces_is_not_told_a_number_that_nobody_has_there() -> None:
    """In a namespace of processes the host has no number; bubblewrap itself dies with the host."""
    wall = WallPlan(policy=POLICY, mechanisms=Mechanisms(seccomp="x86_64", bubblewrap="/bin/bwrap"))

    assert "host=0" in plan(RECORD, data="/h", tmp="/t", wall=wall, environ={}).argv


def test_a_program_of_its_own_is_not_started_without_a_wall() -> None:
    """The wall is what executes it; without one nobody would (kernel policy)."""
    record = msgspec.structs.replace(RECORD, manifest=Manifest(command=("node", "plugin.js")))

    with pytest.raises(PluginBroken, match="started behind a wall only"):
        plan(record, data="/h", tmp="/t", wall=None, environ={})


def test_any_program_can_be_put_behind_a_wall() -> None:
    """A build is foreign code, too, and has neither a wire nor a plugin."""
    launch = walled_command(["/usr/bin/make", "all"], POLICY, mechanisms=Mechanisms(landlock=1), environ={})

    assert Path(launch.argv[0]).resolve() == Path(sys.executable).resolve()
    assert launch.wall is not None
    assert launch.wall.policy.program == ("/usr/bin/make", "all")
    assert (launch.plugin, launch.env["HOME"], launch.env["TMPDIR"]) == ("make", "/h", "/t")


def test_the_environment_is_chosen_by_name_and_never_inherited() -> None:
    """[P-3] Keys, tokens, agents, proxies and certificates stay with the host; HOME is the plugin's own."""
    mine = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://user:secret@proxy",
        "SSL_CERT_FILE": "/home/me/ca.pem",
        "LD_LIBRARY_PATH": "/evil",
        "HOME": "/root",
        "OPENAI_API_KEY": "secret",
        "PYTHONPATH": "/evil",
        "SSH_AUTH_SOCK": "/agent",
    }

    assert child_environment(mine, home="/h", tmp="/t") == {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/h",
        "TMPDIR": "/t",
    }


def test_of_the_folders_for_libraries_only_our_interpreters_own_is_passed_on() -> None:
    """Some interpreters do not start without it; others could bring foreign code before the wall."""
    own = f"{sys.base_prefix}/lib"

    chosen = child_environment({"LD_LIBRARY_PATH": f"/evil:{own}:/more"}, home="/h", tmp="/t")

    assert chosen["LD_LIBRARY_PATH"] == own
