"""The testing kit: one set of questions, asked in memory, of a real child, and of a recorded transcript."""

from __future__ import annotations

import importlib
import json
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_sdk.testing import (
    BadTranscript,
    PluginUnderTest,
    PromptFailed,
    Refusal,
    Tape,
    open_child,
    open_memory,
    open_transcript,
    run_model,
)
from tests.sdk.hosting import BOUND_S, write_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cellwall_sdk.testing import Running
    from cellwall_wire import HostPromptParams

    Open = Callable[..., PluginUnderTest]

SOURCE = """
import os, sys, time
from cellwall_sdk import EmbeddingModel, Field, KeyModel, Model, Options, StreamEvent, hookimpl, host

class Shout(Model):
    model_id = "shout"
    can_stream = True

    class Options(Options):
        times: int = Field(default=1, ge=1, le=10)
        mood: str | None = None

    def execute(self, prompt, response, conversation):
        mood = prompt.options.mood
        if mood == "endless":
            while True:
                yield "A" * 200
        if mood == "stuck":
            stay_here()
        if mood == "dead":
            yield "so far"
            print("the last words", file=sys.stderr)
            os._exit(7)
        if mood == "broken":
            yield "so far"
            raise ValueError("no such colour")
        if mood == "fork":
            import subprocess
            subprocess.Popen(["sh", "-c", 'exec 3>"$0"; echo up >&3; sleep 1000', prompt.prompt])
            return (yield "forked")
        if mood == "pid":
            return (yield str(os.getpid()))
        if mood == "rich":
            yield StreamEvent("reasoning", "let me see")
            response.note("info", "a remark")
            response.set_usage(input=1, output=2)
        if mood == "ask":
            yield f"{host.confirm('Really?')} {host.prompt('why').text()}"
            return
        if mood == "store":
            host.store.set("count", (host.store.get("count") or 0) + 1)
            yield str(host.store.get("count"))
            return
        if mood == "history":
            yield f"{prompt.system} {len(conversation.messages)} {len(prompt.attachments)} {prompt.schema}"
            return
        yield " ".join([prompt.prompt.upper()] * prompt.options.times)

def stay_here():
    while True:
        time.sleep(0.1)

class Locked(KeyModel):
    model_id = "locked"
    needs_key = "acme"

    def execute(self, prompt, key):
        return f"a key of {len(key)}: {key}" if prompt.prompt == "tell" else f"a key of {len(key)}"

class Lengths(EmbeddingModel):
    model_id = "lengths"
    dimensions = 2

    def embed_batch(self, items):
        for item in items:
            yield [float(len(item)), 0.5]

@hookimpl
def register_models(register):
    register(Shout())
    register(Locked())

@hookimpl
def register_embedding_models(register):
    register(Lengths())
"""

MODULE = "kit_shout"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """The folder of a plugin that can be imported here, and by children of here."""
    folder = tmp_path_factory.mktemp("kit")
    write_plugin(folder, SOURCE, MODULE)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop(MODULE, None)


@pytest.fixture(params=["memory", "child"])
def live(request: pytest.FixtureRequest, source: Path) -> Open:
    """Opens the plugin on each transport that runs it."""
    kind = open_memory if request.param == "memory" else open_child

    def open_one(**settings: Any) -> PluginUnderTest:
        return kind(MODULE, **settings)

    return open_one


@pytest.fixture(params=["memory", "child", "recorded"])
def everywhere(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Callable[..., None]:
    """Runs a scene on each transport; for the third, it is recorded and then played."""

    def run(scene: Callable[[PluginUnderTest], None], **settings: Any) -> None:
        if request.param != "recorded":
            kind = open_memory if request.param == "memory" else open_child
            with kind(MODULE, **settings) as plugin:
                scene(plugin)
            return
        tape = Tape(tmp_path / "scene.jsonl", "shout")
        with open_child(MODULE, tape=tape, **settings) as plugin:
            scene(plugin)
        tape.save()
        with open_transcript(tape.path, **settings) as plugin:
            assert plugin.transport == "recorded"
            scene(plugin)

    return run


def test_an_answer_comes_with_all_that_belongs_to_it(everywhere: Callable[..., None]) -> None:
    """Issue 3, anchor 39: the same test on every transport."""

    def scene(plugin: PluginUnderTest) -> None:
        reply = plugin.prompt("hi", options={"times": "2", "mood": "rich"})

        assert reply == "HI HI"
        assert reply.reasoning == "let me see"
        assert reply.notes == ["a remark"]
        assert reply.usage is not None
        assert (reply.usage.input, reply.usage.output) == (1, 2)
        assert reply.finish == "stop"
        assert len(reply.items) == reply.result.items

    everywhere(scene)


def test_a_plugin_says_what_it_offers(everywhere: Callable[..., None]) -> None:
    """Issue 3, anchor 39: describe, on every transport."""

    def scene(plugin: PluginUnderTest) -> None:
        assert [model.id for model in plugin.describe().models] == ["shout", "locked"]
        assert plugin.default_model() == "shout"

    everywhere(scene)


def test_what_a_prompt_brings_with_it_arrives(everywhere: Callable[..., None]) -> None:
    """Issue 3, anchor 39: system prompt, history, schema and options, on every transport."""

    def scene(plugin: PluginUnderTest) -> None:
        reply = plugin.prompt(
            "hi", system="Be.", history=[("a", "b")], schema={"type": "object"}, options={"mood": "history"}
        )

        assert reply == "Be. 2 0 {'type': 'object'}"

    everywhere(scene)


def test_a_failure_keeps_its_kind_its_text_and_the_place(everywhere: Callable[..., None]) -> None:
    """Issue 3, item 8: the author's file and line stand under a failure."""

    def scene(plugin: PluginUnderTest) -> None:
        with pytest.raises(PromptFailed, match="no such colour") as caught:
            plugin.prompt("hi", options={"mood": "broken"})

        assert caught.value.kind == "InternalError"
        assert caught.value.text == "so far"
        assert f"{MODULE}.py" in "\n".join(caught.value.__notes__)
        with pytest.raises(PromptFailed) as refused:
            plugin.prompt("hi", options={"times": "11"})
        assert refused.value.kind == "BadOptions"

    everywhere(scene)


def test_a_key_is_asked_for(everywhere: Callable[..., None]) -> None:
    """Issue 3, anchor 39: a key that is there, one for a single prompt, and none."""

    def scene(plugin: PluginUnderTest) -> None:
        assert plugin.prompt("hi", model="locked", keys={"acme": "123456"}) == "a key of 6"
        with pytest.raises(PromptFailed) as caught:
            plugin.prompt("hi", model="locked")
        assert caught.value.kind == "KeyMissing"

    everywhere(scene)


def test_the_hosts_services_are_answered_from_a_table(everywhere: Callable[..., None]) -> None:
    """Issue 3, item 3: questions, nested prompts and the store, on every transport."""

    def scene(plugin: PluginUnderTest) -> None:
        def because(params: HostPromptParams) -> list[str]:
            return ["be", "cause of ", params.messages[-1].role]

        answers = {"user/ask": True, "host/prompt": because}
        reply = plugin.prompt("hi", options={"mood": "ask"}, answers=answers)

        assert reply == "True because of user"
        assert [method for method, _ in plugin.asked] == ["user/ask", "host/prompt"]
        assert plugin.prompt("hi", options={"mood": "store"}) == "1"
        assert plugin.prompt("hi", options={"mood": "store"}) == "2"

    everywhere(scene)


def test_an_answer_is_cancelled_in_its_middle(everywhere: Callable[..., None]) -> None:
    """Issue 3, anchor 19: what came before is kept."""

    def scene(plugin: PluginUnderTest) -> None:
        def enough(answer: Running) -> None:
            if len(answer.text) >= 1000:
                answer.cancel()

        with pytest.raises(PromptFailed) as caught:
            plugin.prompt("hi", options={"mood": "endless"}, watch=enough)

        assert caught.value.kind == "Cancelled"
        assert len(caught.value.text) >= 1000
        assert set(caught.value.text) == {"A"}

    everywhere(scene)


def test_a_slow_consumer_gets_all_of_it(everywhere: Callable[..., None]) -> None:
    """[P-43]: with little credit, nothing is lost and never more is under way than was granted."""

    def scene(plugin: PluginUnderTest) -> None:
        text, seen = "0123456789" * 2000, list[int]()

        assert plugin.prompt(text, credit=600, watch=lambda so_far: seen.append(len(so_far.text))) == text
        assert len(seen) > len(text) / 600

    everywhere(scene)


def test_texts_become_vectors(everywhere: Callable[..., None]) -> None:
    """[P-75]: streams in both directions, on every transport."""

    def scene(plugin: PluginUnderTest) -> None:
        texts = ["a" * (number % 7) for number in range(500)]

        assert plugin.embed(texts, model="lengths") == [(float(len(text)), 0.5) for text in texts]

    everywhere(scene)


def test_a_refusal_of_the_host_reaches_the_plugin(live: Open) -> None:
    """Issue 3, item 3: a service that is not granted."""

    def refuse(_params: Any) -> None:
        raise Refusal("NotGranted")

    with live(answers={"user/ask": refuse}) as plugin, pytest.raises(PromptFailed, match="refuses"):
        plugin.prompt("hi", options={"mood": "ask"})


def test_a_mistake_in_the_test_is_raised_by_the_prompt(live: Open) -> None:
    """House rule: an assertion in a function of the test fails the test, not the plugin."""

    def wrong(answer: Running) -> None:
        assert answer.text == "something else"

    with live() as plugin, pytest.raises(AssertionError, match="something else"):
        plugin.prompt("hi", options={"mood": "endless"}, watch=wrong)


def test_a_call_that_hangs_is_ended_and_says_where_it_was(live: Open) -> None:
    """Issue 3, item 8: every wait is bounded, and the author's line is named."""
    with live() as plugin:
        with pytest.raises(PromptFailed, match=r"did not answer model/prompt within 0\.5 s") as caught:
            plugin.prompt("hi", options={"mood": "stuck"}, timeout_s=0.5)

        assert caught.value.kind == "DeadlineExceeded"
        assert "stay_here" in "\n".join(caught.value.__notes__)
        assert plugin.prompt("hi") == "HI"


def test_a_child_that_dies_leaves_its_last_words(source: Path) -> None:
    """Issue 3, anchor 28: exit code and what it printed."""
    with open_child(MODULE) as plugin:
        with pytest.raises(PromptFailed, match="ended with exit code 7 before") as caught:
            plugin.prompt("hi", options={"mood": "dead"})

        assert caught.value.kind == "Crashed"
        assert caught.value.text == "so far"
        assert "the last words" in "\n".join(caught.value.__notes__)
        assert plugin.prompt("hi") == "HI"


@pytest.mark.parametrize("kind", [open_memory, open_child])
def test_a_plugin_that_cannot_be_imported_says_where(kind: Open, source: Path) -> None:
    """Issue 3, anchor 44: the first time, and every time."""
    write_plugin(source, "import cellwall_sdk\nnonsense here\n", "kit_broken")
    importlib.invalidate_caches()
    with kind("kit_broken") as plugin:
        for _ in range(2):
            with pytest.raises(PromptFailed, match=r"kit_broken\.py, line 2"):
                plugin.prompt("hi")


def test_a_program_that_is_not_there_is_a_failure_of_its_own(tmp_path: Path) -> None:
    """Issue 3, item 7: a foreign command that cannot be started."""
    with open_child([str(tmp_path / "nothing")]) as plugin, pytest.raises(PromptFailed) as caught:
        plugin.prompt("hi", model="m")

    assert caught.value.kind == "SpawnFailed"


def test_a_child_sees_nothing_of_the_environment(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 3, anchor 45: as behind the wall."""
    monkeypatch.setenv("KIT_CANARY", "seen")
    write_plugin(
        source,
        """
        import os
        from cellwall_sdk import Model, hookimpl
        class Env(Model):
            model_id = "env"
            def execute(self, prompt):
                return str(sorted(n for n in os.environ if "KIT" in n or n == "HOME"))
        @hookimpl
        def register_models(register):
            register(Env())
        """,
        "kit_env",
    )
    with open_child("kit_env", variables={"KIT_OWN": "1"}) as plugin:
        assert plugin.prompt("hi") == "['HOME', 'KIT_OWN']"


def test_nothing_is_left_of_a_child(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """House rule: no process and no file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_child(MODULE) as plugin:
        plugin.describe()
        pid = int(plugin.prompt("hi", options={"mood": "pid"}))
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_child_has_started_ends_with_it(source: Path, tmp_path: Path) -> None:
    """House rule: no process is left, not even one that the plugin has forgotten."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_child(MODULE) as plugin:
            assert plugin.prompt(str(fifo), options={"mood": "fork"}) == "forked"
            assert select.select([reader], [], [], BOUND_S)[0]
            assert os.read(reader, 100) == b"up\n"
        assert select.select([reader], [], [], BOUND_S)[0]
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


# -- transcripts -----------------------------------------------------------------------------------------


@pytest.fixture
def tape(source: Path, tmp_path: Path) -> Tape:
    """A recorded conversation: two prompts."""
    tape = Tape(tmp_path / "t.jsonl", "shout")
    with open_child(MODULE, tape=tape) as plugin:
        plugin.prompt("hi", model="shout")
        plugin.prompt("ho", model="shout")
    tape.save()
    return tape


def test_a_transcript_refuses_what_was_not_recorded(tape: Tape) -> None:
    """Issue 3, anchor 39: what the test asks must equal what was recorded; the message shows both."""
    with (
        open_transcript(tape.path) as plugin,
        pytest.raises(BadTranscript, match=r"(?s)t\.jsonl, line \d+.*-.*hi.*\+.*hello"),
    ):
        plugin.prompt("hello", model="shout")
    with open_transcript(tape.path) as plugin:
        plugin.prompt("hi", model="shout")
        with pytest.raises(BadTranscript, match="more often than it was recorded"):
            plugin.prompt("hi", model="shout")
    with open_transcript(tape.path) as plugin, pytest.raises(BadTranscript, match="holds no plugin/describe"):
        plugin.describe()


def test_a_transcript_refuses_another_answer_of_the_host(source: Path, tmp_path: Path) -> None:
    """Issue 3, anchor 39: what the plugin was told belongs to what was recorded."""
    tape = Tape(tmp_path / "t.jsonl", "shout")
    options = {"mood": "ask"}
    with open_child(MODULE, tape=tape, answers={"user/ask": True, "host/prompt": "so"}) as plugin:
        assert plugin.prompt("hi", model="shout", options=options) == "True so"
    tape.save()
    with open_transcript(tape.path, answers={"user/ask": True, "host/prompt": "so"}) as plugin:
        assert plugin.prompt("hi", model="shout", options=options) == "True so"
    with (
        open_transcript(tape.path, answers={"user/ask": False, "host/prompt": "so"}) as plugin,
        pytest.raises(BadTranscript, match="answers user/ask otherwise"),
    ):
        plugin.prompt("hi", model="shout", options=options)


def test_a_key_does_not_stand_in_a_transcript(source: Path, tmp_path: Path) -> None:
    """[P-90]: neither where it was handed out nor where it came back."""
    tape = Tape(tmp_path / "t.jsonl", "shout")
    with open_child(MODULE, tape=tape, keys={"acme": "c4n4ry-value"}) as plugin:
        assert plugin.prompt("tell", model="locked") == "a key of 12: c4n4ry-value"
    tape.save()

    assert "c4n4ry" not in tape.path.read_text()
    with open_transcript(tape.path, keys={"acme": "another"}) as plugin:
        assert plugin.prompt("tell", model="locked") == "a key of 12: (the key)"


def test_a_file_that_is_no_transcript_is_refused(tmp_path: Path) -> None:
    """House rule: the message names the file, the line and what to do."""
    (tmp_path / "x").write_text('{"from": "host"}\nnot json\n')
    with pytest.raises(BadTranscript, match=r"x, line 2, is no line .*llm --trace-plugins FILE"):
        open_transcript(tmp_path / "x")
    with pytest.raises(BadTranscript, match="cannot be read: No such file"):
        open_transcript(tmp_path / "none")


def test_a_recorded_file_is_a_trace(tape: Tape) -> None:
    """The kit writes what `llm --trace-plugins` writes, so that `llm plugins replay` reads it, too."""
    lines = [json.loads(line) for line in tape.path.read_text().splitlines()]

    assert lines[0]["event"] == "trace"
    assert {line["from"] for line in lines[1:]} == {"host", "plugin"}
    assert all(line["process"] == 1 and line["bytes"] > 0 for line in lines[1:])
    assert tape.path.stat().st_mode & 0o077 == 0


def test_the_tables_of_a_test_are_checked(source: Path) -> None:
    """House rule: a typing error in a test does not pass as a test."""
    with pytest.raises(ValueError, match="never asks for 'user/aks'"):
        open_memory(MODULE, answers={"user/aks": True})
    with pytest.raises(ValueError, match="too little"), open_memory(MODULE) as plugin:
        plugin.prompt("hi", credit=10)
    with pytest.raises(ValueError, match="no error of the kind 'Nope'"):
        Refusal("Nope")


def test_run_model_has_no_deadline_and_leaves_no_context(source: Path) -> None:
    """A debugger may stop in `execute` for as long as it likes."""
    from cellwall_sdk._context import context

    before = context.told, context.asking
    shout = importlib.import_module(MODULE).Shout()

    assert run_model(shout, "hi", times="2") == "HI HI"
    assert (context.told, context.asking) == before
