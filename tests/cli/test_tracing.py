"""`--trace-plugins` and `llm plugins replay`, with the real command and real plugins."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.house.checkout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

CANARY = "canary-5f3a91c7"

BLABS = """
    import base64, sys
    from cellwall_sdk import KeyModel, hookimpl

    class Blabber(KeyModel):
        model_id = "blabber"
        needs_key = "blabber"

        def execute(self, prompt, stream, response, conversation, key):
            how = prompt.prompt
            if how == "answer":
                yield f"It is {key}."
            elif how == "pieces":
                for letter in f"It is {key}, {key}.":
                    yield letter
            elif how == "base64":
                yield base64.b64encode(f"?{key}!".encode()).decode()
            elif how == "stderr":
                print(f"the key is {key}", file=sys.stderr, flush=True)
                yield "see there"
            elif how == "error":
                raise ValueError(f"{key} does not work")
            else:
                yield "nothing"

    @hookimpl
    def register_models(register):
        register(Blabber())
"""


def trace_of(path: Path) -> list[dict[str, Any]]:
    """Read a trace, without its first line."""
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


@pytest.fixture
def blabber(llm: CommandLine) -> CommandLine:
    """A command line with a plugin that gives its key away, and was granted one."""
    llm.plugin("blabber", BLABS)
    assert llm("keys", "set", "blabber", piped=CANARY).code == 0
    llm.grant("blabber", "key=blabber")
    return llm


@pytest.mark.parametrize("how", ["answer", "pieces", "base64", "stderr", "error", "nothing"])
def test_a_key_never_stands_in_a_trace_whatever_the_plugin_does_with_it(
    blabber: CommandLine, tmp_path: Path, how: str
) -> None:
    """[P-90] Statement 42: the canary is in the answer, and not in the trace."""
    trace = tmp_path / "trace"

    plain = blabber("-n", "-m", "blabber", how)
    traced = blabber("--trace-plugins", str(trace), "-n", "-m", "blabber", how)

    assert (plain.code, plain.out, plain.err) == (traced.code, traced.out, traced.err)
    for spelling in (CANARY.encode(), CANARY.encode().hex().encode(), base64.b64encode(CANARY.encode())[:-2]):
        assert spelling not in trace.read_bytes()
    assert (how != "nothing") == (trace.read_text().count("(the key)") > 1)


def test_a_key_of_the_command_line_is_hidden_like_a_stored_one(llm: CommandLine, tmp_path: Path) -> None:
    """[P-90] `--key` is for one prompt, and its value for nobody else."""
    llm.plugin("blabber", BLABS)
    trace = tmp_path / "trace"

    ended = llm("--trace-plugins", str(trace), "-m", "blabber", "--key", CANARY, "pieces")

    assert (0, f"It is {CANARY}, {CANARY}.") == (ended.code, ended.out.strip())
    assert CANARY not in trace.read_text()


def test_a_trace_shows_a_prompt_from_the_start_of_the_process_to_its_end(
    parrot: CommandLine, tmp_path: Path
) -> None:
    """Statement 42: both directions and what happened, each process by its number."""
    trace = tmp_path / "trace"
    parrot("models")

    assert parrot("--trace-plugins", str(trace), "-m", "parrot", "hello").code == 0

    records = trace_of(trace)
    said = [record.get("event") or record["line"].get("method") or "answer" for record in records]
    assert ["started", "initialize", "answer", "ready", "model/prompt"] == said[:5]
    assert ["answer", "input closed", "ended"] == said[-3:]
    assert {("parrot", 1)} == {(record["plugin"], record["process"]) for record in records}
    assert "exit code 0" == records[-1]["exit"]


@pytest.mark.parametrize("place", ["before", "behind", "joined", "variable"])
def test_a_trace_can_be_asked_for_in_each_usual_place(
    parrot: CommandLine, tmp_path: Path, place: str
) -> None:
    """Kernel policy: as `--debug`, it is often added to a line that has just failed."""
    trace = str(tmp_path / "trace")
    line = {
        "before": ("--trace-plugins", trace, "hello there", "-m", "parrot"),
        "behind": ("hello there", "-m", "parrot", "--trace-plugins", trace),
        "joined": (f"--trace-plugins={trace}", "hello there", "-m", "parrot"),
        "variable": ("hello there", "-m", "parrot"),
    }[place]
    if place == "variable":
        parrot.variables = {"CELLWALL_TRACE_PLUGINS": trace}

    ended = parrot(*line)

    assert (0, "hello there") == (ended.code, ended.out.strip()), ended.err
    assert "hello there" in (tmp_path / "trace").read_text()


def test_a_command_that_lists_things_is_traced_too(parrot: CommandLine, tmp_path: Path) -> None:
    """Statement 42: wherever a plugin is started."""
    trace = tmp_path / "trace"

    assert parrot("--trace-plugins", str(trace), "models").code == 0

    asked = [record["plugin"] for record in trace_of(trace) if record.get("event") == "started"]
    assert "parrot" in asked


def test_a_disk_that_becomes_full_costs_the_trace_and_not_the_answer(
    parrot: CommandLine, tmp_path: Path
) -> None:
    """Statement 42: the whole answer, exit code 0, one sentence; a limit of file sizes is the full disk."""
    parrot("models")
    command = parrot.argv("--trace-plugins", "trace", "-n", "-m", "parrot", "-o", "times", "9000", "hello")

    ended = subprocess.run(
        ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *command],
        capture_output=True,
        env=parrot.environment,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        timeout=45,
        check=False,
    )

    assert (0, b"hello" * 9000) == (ended.returncode, ended.stdout.strip())
    assert [b"Note: the trace trace ends early: File too large."] == ended.stderr.splitlines()


def test_a_trace_that_cannot_be_written_stops_the_command_before_anything_starts(
    parrot: CommandLine, tmp_path: Path
) -> None:
    """Kernel policy: better no answer than an answer without the trace that was asked for."""
    diary = tmp_path / "diary"
    diary.write_text("dear diary\n")

    ended = parrot("--trace-plugins", str(diary), "-m", "parrot", "hello")

    assert (2, "") == (ended.code, ended.out)
    assert "is no trace, so it is not replaced" in ended.err
    assert "dear diary\n" == diary.read_text()


def test_help_says_what_stands_in_a_trace_and_writes_none(llm: CommandLine, tmp_path: Path) -> None:
    """Kernel policy: whoever passes a trace on should know."""
    ended = llm("--trace-plugins", str(tmp_path / "trace"), "--help")

    words = " ".join(ended.out.split())
    assert "prompts and answers included, API keys not" in words
    assert not (tmp_path / "trace").exists()


def test_without_the_option_nothing_of_it_is_loaded(parrot: CommandLine) -> None:
    """Statement 42, house rule: what is not asked for costs nothing."""
    code = (
        "import sys; from cellwall_kernel.cli._root import run; code = run(['-m', 'parrot', 'hello']); "
        "sys.exit(code or 'cellwall_kernel.tracing._trace' in sys.modules)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=parrot.environment,
        stdin=subprocess.DEVNULL,
        timeout=45,
        check=False,
    )

    assert (0, b"hello\n") == (ended.returncode, ended.stdout)


# -- replay --------------------------------------------------------------------------------------------------


def test_a_recorded_conversation_of_an_older_version_still_goes_the_same_way(llm: CommandLine) -> None:
    """[P-80] Statement 42: what was said in version 0.1.0 is answered likewise; the trace is the test."""
    assert llm("keys", "set", "echo", piped="0123456789abcdef").code == 0
    llm.grant("echo", "key=echo")

    ended = llm("plugins", "replay", str(ROOT / "tests/kernel/tracing/recorded/echo-0.1.0.jsonl"))

    assert (0, "") == (ended.code, ended.err)
    assert [f"echo\t{number}\tsame" for number in range(1, 6)] == [
        line.rstrip() for line in ended.out.splitlines()
    ]


def test_a_replay_does_not_write_over_the_trace_that_it_reads(parrot: CommandLine, tmp_path: Path) -> None:
    """Kernel policy: the variable is set for a whole shell, and a file is made by a plugin that starts."""
    trace = tmp_path / "trace"
    parrot.variables = {"CELLWALL_TRACE_PLUGINS": str(trace)}
    parrot("-m", "parrot", "hello")
    before = trace.read_bytes()

    ended = parrot("plugins", "replay", str(trace), "--plugin", "parrot")

    assert (0, before) == (ended.code, trace.read_bytes()), ended.err


def test_a_plugin_that_answers_otherwise_is_told_apart(parrot: CommandLine, tmp_path: Path) -> None:
    """Statement 42: the place in the answer, what was there and what is there now; exit code 1."""
    trace = tmp_path / "trace"
    parrot("models")
    parrot("--trace-plugins", str(trace), "-m", "parrot", "-o", "times", "2", "hello")
    same = parrot("plugins", "replay", str(trace))
    module = parrot.site / "parrot.py"
    module.write_text(module.read_text().replace("yield prompt.prompt", "yield prompt.prompt.upper()"))

    other = parrot("plugins", "replay", str(trace))

    assert (0, "parrot\t1\tsame\t\n") == (same.code, same.out)
    assert 1 == other.code
    assert 'the answer to model/prompt (h2): items[1].text was "hellohello" and is "HELLOHELLO"' in other.out


def test_a_plugin_that_ends_in_the_middle_is_told_and_nothing_waits(
    parrot: CommandLine, tmp_path: Path
) -> None:
    """Kernel policy: a replay of a plugin that has become worse comes to an end, too."""
    trace = tmp_path / "trace"
    parrot("models")
    parrot("--trace-plugins", str(trace), "-m", "parrot", "hello")
    module = parrot.site / "parrot.py"
    module.write_text(module.read_text().replace("yield prompt.prompt", "import os; os._exit(7)"))

    ended = parrot("plugins", "replay", "--json", str(trace))

    (process,) = json.loads(ended.out)
    assert 1 == ended.code
    assert any("was never sent" in each for each in process["differences"])
    assert "the process ended with exit code 0 and ends with exit code 7" in process["differences"]


def test_a_replay_gives_a_key_that_was_granted_and_shows_it_to_nobody(
    blabber: CommandLine, tmp_path: Path
) -> None:
    """[P-67] [P-90] The trace has no key, so it comes from its user, who must have granted it."""
    trace = tmp_path / "trace"
    blabber("models")
    blabber("--trace-plugins", str(trace), "-m", "blabber", "pieces")
    granted = blabber("plugins", "replay", str(trace))
    module = blabber.site / "blabber.py"
    module.write_text(module.read_text().replace("It is", "It was"))
    blabber("plugins", "grant", "blabber", "--accept-change")
    changed = blabber("plugins", "replay", str(trace))
    blabber("plugins", "revoke", "blabber", "key=blabber")
    revoked = blabber("plugins", "replay", str(trace))

    assert (0, "blabber\t1\tsame\t\n") == (granted.code, granted.out), granted.err
    assert 1 == changed.code
    assert 'was "It is (the key), (the key)." and is "It was (the key), (the key)."' in changed.out
    assert 1 == revoked.code
    assert "was a result and is an error" in revoked.out


def lines_of(*said: tuple[str, dict[str, Any]]) -> str:
    """Return a trace of one process of the echo."""
    head = {"at_ms": 0.0, "plugin": "echo", "process": 1}
    records = [head | {"from": side, "bytes": 1, "line": {"jsonrpc": "2.0"} | line} for side, line in said]
    first = {"at_ms": 0.0, "from": "event", "event": "trace", "version": 1}
    return "".join(json.dumps(record) + "\n" for record in [first, *records])


INITIALIZE = {
    "protocols": [1],
    "host": {"name": "cellwall", "version": "0.1.0"},
    "plugin": {"name": "echo", "dist": "cellwall-echo"},
    "limits": {"line": 8388608, "data_line": 65536},
    "dirs": {"data": "/nowhere", "scratch": "/nowhere"},
}


def conversation(prompt: dict[str, Any], *rest: tuple[str, dict[str, Any]]) -> str:
    """Return the trace of a prompt."""
    text = [{"role": "user", "parts": [{"type": "text", "text": "hello"}]}]
    params = {"meta": {"credit": 262144}, "model": "echo", "messages": text, "options": prompt}
    return lines_of(
        ("host", {"id": "h1", "method": "initialize", "params": INITIALIZE}),
        ("plugin", {"id": "h1", "result": {"protocol": 1}}),
        ("host", {"id": "h2", "method": "model/prompt", "params": params}),
        *rest,
    )


def test_a_prompt_that_was_cancelled_is_cancelled_again(llm: CommandLine, tmp_path: Path) -> None:
    """[P-46] Not before the plugin has begun to answer; how far it came is a matter of luck."""
    trace = tmp_path / "trace"
    items = [{"t": "delta", "part": 0, "text": "hello"}]
    trace.write_text(
        conversation(
            {"hang": "sleep"},
            ("plugin", {"method": "$/data", "params": {"id": "h2", "seq": 0, "items": items}}),
            ("host", {"method": "$/cancel", "params": {"id": "h2", "reason": "enough"}}),
            ("plugin", {"id": "h2", "error": {"code": -32800, "message": "cancelled"}}),
        )
    )

    ended = llm("plugins", "replay", str(trace))

    assert (0, "echo\t1\tsame\t\n", "") == (ended.code, ended.out, ended.err)


def test_a_call_that_is_not_in_the_record_is_refused_and_named(llm: CommandLine, tmp_path: Path) -> None:
    """Kernel policy: nothing waits for an answer that nobody gave."""
    trace = tmp_path / "trace"
    trace.write_text(conversation({"ask_key": "echo"}, ("plugin", {"id": "h2", "result": {"items": 3}})))

    ended = llm("plugins", "replay", str(trace))

    assert 1 == ended.code
    assert "the call keys/get is new" in ended.out


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, 3, "there is no trace"),
        ("dear diary\n", 2, "is no trace"),
        ('{"at_ms":0.0,"from":"event","event":"trace","version":2}\n', 2, "that this version can read"),
        ('{"at_ms":0.0,"from":"event","event":"trace","version":1}\n', 3, "shows no process"),
        (
            (
                '{"at_ms":0.0,"from":"event","event":"trace","version":1}\n'
                '{"at_ms":1.0,"plugin":"ghost","process":1,"from":"host","bytes":3,"line":{}}\n'
            ),
            3,
            "no plugin 'ghost' is installed",
        ),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(
    llm: CommandLine, tmp_path: Path, content: str | None, code: int, words: str
) -> None:
    """House rule: every error names the thing, the cause and what to do."""
    trace = tmp_path / "trace"
    if content is not None:
        trace.write_text(content)

    ended = llm("plugins", "replay", str(trace))

    assert (code, "") == (ended.code, ended.out)
    assert words in ended.err
    assert "Traceback" not in ended.err
