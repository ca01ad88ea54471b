"""`llm logs`: the newest answers as text, YAML and JSON, filters, the switch, and files that are wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths
from cellwall_kernel.store import Outcome, PromptRow, Store
from cellwall_wire import Args, AttachmentPart, Delta, Message, Part, PartStart, TextPart, Usage

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

WAIT_S = 30
ESCAPE = "\x1b[31m"


def log(
    llm: CommandLine, prompt: str, answer: str, conversation_id: str | None = None, model: str = "m"
) -> str:
    """Put a prompt and its answer into the log; the id of the conversation."""
    row = PromptRow(
        model=model,
        plugin="p",
        messages=[Message(role="user", parts=[TextPart(text=prompt)])],
        conversation_id=conversation_id,
    )
    with Store.open(Paths(llm.home)) as store:
        response_id = store.begin(row)
        conversation_id = store.conversation_id(response_id)
        store.append(response_id, [PartStart(0, "text"), Delta(0, answer)])
        store.finish(response_id, Outcome(status="done", usage=Usage(input=3, output=1200)))
    return conversation_id


def test_the_newest_three_are_shown_the_newest_last(llm: CommandLine) -> None:
    """As readable text, also in a pipe; `list` is the default command and its options need not name it."""
    for number in range(5):
        log(llm, f"question {number}", f"answer {number}")
    ended = llm("logs")
    assert (ended.code, ended.err) == (0, "")
    places = [ended.out.find(f"## Prompt\n\nquestion {number}\n") for number in range(5)]
    assert places[:2] == [-1, -1]
    assert 0 < places[2] < places[3] < places[4]
    assert "## Response\n\nanswer 4\n" in ended.out
    assert llm("logs", "list").out == ended.out
    assert llm("logs", "-n", "1").out in ended.out
    assert llm("logs", "-n", "0").out.count("## Prompt") == 5


def test_a_page_says_everything(llm: CommandLine) -> None:
    """Model, state, options, system prompt, attachments, schema, reasoning, tool calls and usage."""
    question: list[Part] = [
        TextPart(text="Why?"),
        AttachmentPart(media_type="image/png", data="aGk=", name="x.png"),
    ]
    row = PromptRow(
        model="m",
        plugin="p",
        messages=[Message(role="user", parts=question)],
        system="Be brief.",
        options={"temperature": 0.2},
        schema={"type": "object"},
    )
    with Store.open(Paths(llm.home)) as store:
        response_id = store.begin(row)
        store.append(response_id, [PartStart(0, "reasoning"), Delta(0, "Hm.")])
        store.append(response_id, [PartStart(1, "text"), Delta(1, "Be")])
        store.append(response_id, [PartStart(2, "tool_call", call_id="c", name="look"), Args(2, '{"a":1}')])
        outcome = Outcome(
            status="error",
            error_kind="RateLimited",
            error_message="too fast",
            resolved_model="m-1",
            usage=Usage(input=3),
        )
        store.finish(response_id, outcome)
    page = llm("logs", "-u").out
    for expected in (
        f" id: {response_id}\n",
        "Model: **m** (resolved: **m-1**)\n",
        "Status: **error** (RateLimited): too fast\n",
        "## Options\n\n- temperature: 0.2\n",
        "## System\n\nBe brief.\n",
        "## Prompt\n\nWhy?\n",
        "- x.png, image/png, 2 bytes, sha256 ",
        '## Schema\n\n```json\n{\n  "type": "object"\n}\n```\n',
        "## Reasoning\n\nHm.\n",
        "## Response\n\nBe\n",
        '- look: `{"a":1}`\n',
        "## Token usage\n\n3 input\n",
    ):
        assert expected in page
    assert "Token usage" not in llm("logs").out


def test_one_conversation_is_shown_whole(llm: CommandLine) -> None:
    """The current one or a named one, without a limit unless one is given."""
    first = log(llm, "one 0", "1")
    for number in range(1, 5):
        log(llm, f"one {number}", "1", first)
    second = log(llm, "two", "2")
    assert llm("logs", "-c").out.count("## Prompt") == 1
    assert second in llm("logs", "--current").out
    assert llm("logs", "--cid", first).out.count("## Prompt") == 5
    assert llm("logs", "--cid", first, "-n", "2").out.count("## Prompt") == 2


def test_only_the_text_of_the_newest_answer(llm: CommandLine) -> None:
    """What a script wants; filters hold."""
    log(llm, "one", "first answer", model="a")
    log(llm, "two", "second\nanswer", model="b")
    assert llm("logs", "-r").out == "second\nanswer\n"
    assert llm("logs", "--response", "-m", "a").out == "first answer\n"
    ended = llm("logs", "-r", "-m", "none")
    assert (ended.code, ended.out) == (3, "")
    assert "no logged answer" in ended.err


def test_json_holds_every_member(llm: CommandLine) -> None:
    """A list, the newest last; empty when nothing fits."""
    conversation_id = log(llm, "Why?", "Because ä.")
    (seen,) = json.loads(llm("logs", "--json").out)
    assert (seen["prompt"], seen["response"], seen["model"], seen["plugin"]) == (
        "Why?",
        "Because ä.",
        "m",
        "p",
    )
    assert (seen["conversation_id"], seen["status"], seen["usage"]["output"]) == (
        conversation_id,
        "done",
        1200,
    )
    assert llm("logs", "--json", "-m", "none").out == "[]\n"


def test_the_short_form_is_yaml_with_one_line_each(llm: CommandLine) -> None:
    """A long prompt is cut; whatever it holds, its line is a scalar of JSON and so of YAML."""
    log(llm, 'a "quoted": - thing\n' + "word " * 100, "1")
    rows = llm("logs", "-s", "-u").out.splitlines()
    assert rows[0] == '- model: "m"'
    members = dict(row[2:].split(": ", 1) for row in rows)
    prompt = json.loads(members["prompt"])
    assert len(prompt) == 100
    assert prompt.startswith('a "quoted": - thing word')
    assert json.loads(members["usage"]) == "3 input, 1,200 output"


def test_long_texts_are_shortened_on_request(llm: CommandLine) -> None:
    """In every form."""
    log(llm, "p" * 500, "r" * 500)
    for arguments in (["-t"], ["-t", "--json"], ["--truncate", "-r"]):
        out = llm("logs", *arguments).out
        assert "r" * 101 not in out
        assert "p" * 101 not in out
        assert "…" in out


def test_words_are_found_in_prompts_and_answers(llm: CommandLine) -> None:
    """Plain words that are no search syntax too."""
    log(llm, "What's a pelican?", "A bird.")
    log(llm, "And C++?", "A language.")
    assert llm("logs", "-q", "bird", "-r").out == "A bird.\n"
    assert llm("logs", "-q", "what's", "-r").out == "A bird.\n"
    assert llm("logs", "-q", "C++", "-r").out == "A language.\n"
    ended = llm("logs", "-q", "nothing")
    assert (ended.code, ended.out, ended.err) == (0, "", "No logged prompts like that.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["-q", " "], 2, "the search has no words"),
        (["-c", "--cid", "x"], 2, "two conversations"),
        (["-n", "-1"], 2, "Invalid value for '-n'"),
        (["-n", "many"], 2, "Invalid value for '-n'"),
        (["-c"], 3, "there is no conversation yet"),
        (["--cid", "x"], 3, "there is no conversation 'x'"),
        (["lsit"], 2, "Did you mean 'list'?"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    llm: CommandLine, arguments: list[str], code: int, sentence: str
) -> None:
    """With the exit code that belongs to it, and nothing on stdout."""
    ended = llm("logs", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert sentence in ended.err


def test_a_damaged_log_is_exit_code_8(llm: CommandLine) -> None:
    """One sentence, no traceback."""
    llm.home.mkdir()
    (llm.home / "logs.db").write_bytes(b"no database" * 500)
    for arguments in (["logs"], ["logs", "status"]):
        ended = llm(*arguments)
        assert (ended.code, ended.out) == (8, "")
        assert ended.err.startswith(f"Error: the log database {llm.home}/logs.db is damaged")
        assert ended.err.count("\n") == 1


def test_the_status_names_switch_file_and_numbers(llm: CommandLine) -> None:
    """For people and for programs; the switch is kept in the settings."""
    log(llm, "one", "1")
    assert llm("logs", "off").code == 0
    text = llm("logs", "status").out
    assert "Logging:       off\n" in text
    assert "Responses:     1 (1 done)\n" in text
    assert llm("logs", "on").code == 0
    status = json.loads(llm("logs", "status", "--json").out)
    assert status["logging"] is True
    assert status["path"] == str(llm.home / "logs.db")
    assert status["size_bytes"] > 0
    assert llm("logs", "path").out == f"{llm.home}/logs.db\n"


def test_before_the_first_prompt_nothing_is_made(llm: CommandLine) -> None:
    """Lists and status only look."""
    for arguments in (["logs"], ["logs", "status"], ["logs", "path"], ["logs", "--json"]):
        assert llm(*arguments).code == 0
    assert not llm.home.exists()


def test_a_killed_prompt_is_listed_as_interrupted(llm: CommandLine) -> None:
    """`logs list` after kill -9 of the host shows what had arrived (issue 2)."""
    program = """
        import sys
        from pathlib import Path
        from cellwall_kernel.paths import Paths
        from cellwall_kernel.store import PromptRow, Store
        from cellwall_wire import Delta, Message, PartStart, TextPart
        store = Store.open(Paths(Path(sys.argv[1])))
        row = PromptRow(model="m", plugin="p", messages=[Message(role="user", parts=[TextPart(text="Why?")])])
        store.append(store.begin(row), [PartStart(0, "text"), Delta(0, "Because")])
        print("streaming", flush=True)
        sys.stdin.read()
    """
    child = subprocess.Popen(
        [sys.executable, "-c", dedent(program), str(llm.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert "Status: **running**" in llm("logs").out
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=WAIT_S)
    out = llm("logs").out
    assert "Status: **interrupted**" in out
    assert "## Response\n\nBecause\n" in out


def test_a_pipe_gets_the_answer_as_it_is(llm: CommandLine) -> None:
    """Control characters of a model are for programs to judge; terminals are spared them elsewhere."""
    log(llm, "one", f"{ESCAPE}red")
    assert llm("logs", "-r").out == f"{ESCAPE}red\n"
