"""What starts must stay light: closed lists of what the quick commands and the two author packages may load.

A list may grow when a module is worth its price (`python -X importtime` tells); it never grows by accident.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BOUND_S = 20

# The standard library's small change: what `click`, `enum` or `dataclasses` pull in by themselves.
# The words stay words: one name a line would be four screens.
SDK_LOADS = frozenset(
    "collections contextlib copyreg enum functools itertools keyword operator re reprlib types typing "  # noqa: SIM905
    "warnings".split()
)
MSGSPEC_LOADS = SDK_LOADS | frozenset(
    "ast datetime decimal dis importlib inspect linecache math numbers opcode platform textwrap token "  # noqa: SIM905
    "tokenize typing_extensions uuid weakref".split()
)
CLICK_LOADS = SDK_LOADS | frozenset(
    "ast bz2 copy dataclasses datetime dis errno fnmatch gettext importlib inspect linecache locale lzma "  # noqa: SIM905
    "math opcode platform shutil textwrap threading token tokenize uuid weakref zlib".split()
)

COMMAND = "import sys; sys.argv[1:] = ['{}']; from cellwall_kernel.cli import main; main()"
SCENES: dict[str, tuple[str, frozenset[str], set[str]]] = {
    "llm --version": (COMMAND.format("--version"), frozenset(), {"cellwall_kernel"}),
    "llm --help": (COMMAND.format("--help"), CLICK_LOADS, {"cellwall_kernel", "click"}),
    "the wire": ("import cellwall_wire", MSGSPEC_LOADS, {"cellwall_wire", "msgspec"}),
    "the SDK": ("import cellwall_sdk", SDK_LOADS, {"cellwall_sdk"}),
    "a plugin's first line": (
        "from cellwall_sdk import Model, hookimpl",
        MSGSPEC_LOADS,
        {"cellwall_sdk", "cellwall_wire", "msgspec"},
    ),
}
NEVER = ("importlib.metadata", "importlib.resources", "concurrent", "email", "urllib.request")


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and name the modules that it has then."""
    report = "import json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("scene", SCENES)
def test_only_listed_modules_are_loaded_by(scene: str) -> None:
    """House rule: start-up time is spent on purpose (CONTRIBUTING.md, "Start-up")."""
    code, allowed, packages = SCENES[scene]
    extra = loaded_by(code) - loaded_by("")
    tops = {name.partition(".")[0] for name in extra if not name.startswith("_")}

    assert packages == tops - allowed
    assert [name for name in extra if name.startswith(NEVER)] == []


def test_every_scene_really_runs() -> None:
    """Without this, a scene that does nothing would pass as a light one."""
    assert "click" in loaded_by(SCENES["llm --help"][0])
    assert "cellwall_kernel.version" in loaded_by(SCENES["llm --version"][0])
