"""Commands that only list: with a warm catalogue they start no process and load no event loop."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import PARROT, TIMEOUT_S

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

HEAVY = ("importlib.metadata", "anyio", "asyncio")
"""The packaging library and the event loop."""

LISTS = [
    ("--help",),
    ("models", "--help"),
    ("plugins", "--help"),
    ("models", "list"),
    ("models", "list", "--json"),
    ("models", "list", "--options"),
    ("models", "default"),
    ("embed-models", "list"),
    ("plugins", "list"),
    ("plugins", "list", "--json"),
    ("plugins", "show", "parrot"),
]

PROGRAM = f"""
import json, resource, sys
from cellwall_kernel.cli._root import run
code = run(sys.argv[1:])
loaded = [name for name in {HEAVY!r} if name in sys.modules]
children_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({{"loaded": loaded, "children_kib": children_kib}}), file=sys.stderr)
sys.exit(code)
"""
"""Not `main`, which leaves at once where there was an event loop. Without a child, none has used memory."""

NOTES = 'open("notes", "a").write("started\\n")\n'
"""Begins a plugin that notes each of its starts."""


def observed(llm: CommandLine, *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run a command and return its output and what it has started and loaded."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env=llm.environment,
        timeout=TIMEOUT_S,
        check=True,
    )
    return ended.stdout, json.loads(ended.stderr.splitlines()[-1])


@pytest.fixture
def warm(llm: CommandLine) -> CommandLine:
    """A command line whose plugins were all asked; they have noted how often they were started."""
    module = llm.plugin("parrot", PARROT)
    module.write_text(NOTES + module.read_text())
    assert "parrot" in observed(llm, "plugins", "list")[0]
    assert "parrot" in observed(llm, "models", "list")[0]  # the first import's bytecode is looked at once
    return llm


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_a_list_of_what_is_known_starts_nothing_and_loads_no_event_loop(
    warm: CommandLine, arguments: tuple[str, ...]
) -> None:
    """Issue 3, anchor 24: no process, no importlib.metadata, no anyio; told by imports, not by time."""
    notes = warm.data_of("parrot") / "notes"
    before = notes.read_text()

    out, told = observed(warm, *arguments)

    assert out
    assert told == {"loaded": [], "children_kib": 0}
    assert notes.read_text() == before == "started\n"


def test_the_observer_sees_a_start(llm: CommandLine) -> None:
    """Without this, one that looks at nothing would find every command light."""
    llm.plugin("parrot", PARROT)

    _, told = observed(llm, "models", "list")

    assert "anyio" in told["loaded"]
    assert told["children_kib"] > 0
