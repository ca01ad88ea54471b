"""One format for two programs: the SDK's testing kit plays the host's traces, the host replays the kit's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_sdk.testing import BadTranscript, Tape, open_child, open_transcript

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def test_a_trace_of_the_host_is_a_transcript(llm: CommandLine, tmp_path: Path) -> None:
    """Issue 3, anchor 39: what a user sends in becomes a test, without the plugin."""
    trace = tmp_path / "trace.jsonl"
    asked = llm("--trace-plugins", str(trace), "-m", "echo", "-o", "repeat", "2", "-s", "Be.", "hi")
    assert asked.code == 0, asked.err
    with open_transcript(trace, plugin="echo") as plugin:
        reply = plugin.prompt("hi", model="echo", system="Be.", options={"repeat": "2"})

        assert reply == asked.out.removesuffix("\n")
    with (
        open_transcript(trace, plugin="echo") as plugin,
        pytest.raises(BadTranscript, match="something else"),
    ):
        plugin.prompt("ho", model="echo", system="Be.", options={"repeat": "2"})
    with (
        open_transcript(trace, plugin="nobody") as plugin,
        pytest.raises(BadTranscript, match="holds no initialize"),
    ):
        plugin.prompt("hi", model="echo")


def test_a_transcript_is_replayed_by_the_host(llm: CommandLine, tmp_path: Path) -> None:
    """Issue 3, item 8: what the kit records behind no wall is the same behind one."""
    tape = Tape(tmp_path / "t.jsonl", "echo")
    with open_child("cellwall_echo", tape=tape) as plugin:
        assert plugin.prompt("hi", options={"repeat": "3"}) == "hihihi"
    tape.save()
    replayed = llm("plugins", "replay", str(tape.path))

    assert replayed.code == 0, replayed.out + replayed.err
