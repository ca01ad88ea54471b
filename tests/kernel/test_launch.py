"""How a child is started, as text; that it works is shown by test_bootstrap."""

from __future__ import annotations

import os
import sys

from cellwall_kernel.discovery import Environment, PluginRecord
from cellwall_kernel.launch import BOOTSTRAP, child_environment, plan

RECORD = PluginRecord(
    name="zoo", dist="llm-zoo", version="1", target="zoo:Plugin", location="/a", python="/opt/python", key="k"
)
ENVIRONMENT = Environment(
    python=sys.executable, prefix="/", tag="t", folders=(("site", "/a"), ("path", "/b=c"))
)


def test_the_interpreter_is_isolated_and_told_where_the_plugin_is() -> None:
    """Isolated and without `site`: nothing but the bootstrap runs before the bootstrap."""
    launch = plan(RECORD, ENVIRONMENT, data="/home/data", tmp="/home/tmp", environ={})

    assert launch.argv[:6] == ("/opt/python", "-I", "-S", "-X", "utf8", BOOTSTRAP)
    assert launch.argv[6:] == (f"host={os.getpid()}", "target=zoo:Plugin", "site=/a", "path=/b=c")
    assert (launch.cwd, launch.plugin) == ("/home/data", "zoo")


def test_the_environment_is_chosen_by_name_and_never_inherited() -> None:
    """[P-3] Keys, tokens and agents stay with the host; HOME is the plugin's own folder."""
    mine = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy",
        "HOME": "/root",
        "OPENAI_API_KEY": "secret",
        "PYTHONPATH": "/evil",
        "SSH_AUTH_SOCK": "/agent",
    }

    assert child_environment(mine, home="/h", tmp="/t") == {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy",
        "HOME": "/h",
        "TMPDIR": "/t",
    }
