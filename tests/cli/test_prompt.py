"""`llm prompt`: what goes to the model, what comes out, and what is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


def logged(llm: CommandLine) -> list[dict[str, object]]:
    """Everything in the log, oldest first."""
    ended = llm("logs", "list", "-n", "0", "--json")
    assert ended.code == 0, ended.err
    rows: list[dict[str, object]] = json.loads(ended.out)
    return rows


@pytest.mark.parametrize(
    ("arguments", "piped", "answer"),
    [
        (["-m", "parrot", "hi"], "", "hi\n"),
        (["prompt", "-m", "parrot", "hi"], "", "hi\n"),
        (["-m", "polly", "hi"], "", "hi\n"),
        (["hi", "-m", "parrot"], "", "hi\n"),
        (["-m", "parrot"], "from a pipe\n", "from a pipe\n"),
        (["-m", "parrot", "after"], "before\n", "before\n\nafter\n"),
        (["-m", "parrot", "-s", "be brief", "hi"], "", "[system be brief] hi\n"),
        (["-m", "parrot", "-o", "times", "3", "a"], "", "aaa\n"),
        (["-m", "parrot", "--no-stream", "hi"], "", "[whole] hi\n"),
        (["-m", "parrot", "--", "-x is what?"], "", "-x is what?\n"),
        (["-m", "parrot", "größe 😀"], "", "größe 😀\n"),
        (["-m", "parrot", "--schema", '{"type": "object"}', "x"], "", "[schema ['type']] x\n"),
    ],
)
def test_the_answer_is_all_that_stands_on_stdout(
    parrot: CommandLine, arguments: list[str], piped: str, answer: str
) -> None:
    """Words, pipe, system prompt, options and schema reach the model; the answer ends in one newline."""
    ended = parrot(*arguments, piped=piped)
    assert (ended.code, ended.out, ended.err) == (0, answer, "")


def test_a_variable_may_name_the_model(parrot: CommandLine) -> None:
    """`CELLWALL_MODEL`, and `LLM_MODEL` as people know it."""
    for name in ("CELLWALL_MODEL", "LLM_MODEL"):
        parrot.variables = {name: "parrot"}
        assert parrot("hi").out == "hi\n"


def test_small_and_large_attachments_arrive_whole(parrot: CommandLine, tmp_path: Path) -> None:
    """By content, by a type that the user names, and from stdin; no file of them stays behind."""
    small = tmp_path / "small"
    small.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    large = tmp_path / "large.bin"
    large.write_bytes(b"\0" * 3_000_000)
    ended = parrot(
        *["-m", "parrot", "-a", str(small), "-a", "-", "--at", str(large), "image/png", "see"],
        piped=b"\0\1\2",
    )
    assert ended.out == "[image/png 10] [application/octet-stream 3] [image/png 3000000] see\n", ended.err
    assert list((parrot.home / "plugins" / "parrot" / "tmp").iterdir()) == []
    (row,) = logged(parrot)
    assert [entry["size"] for entry in row["attachments"]] == [10, 3, 3_000_000]  # type: ignore[attr-defined]


def test_a_conversation_goes_on_with_its_model_and_all_its_turns(parrot: CommandLine) -> None:
    """`-c` takes the latest conversation, `--cid` any."""
    assert parrot("-m", "parrot", "-s", "be brief", "one").code == 0
    second = parrot("-c", "two")
    assert second.out == "[system be brief] [one -> [system be brief] one] two\n"
    first_id = logged(parrot)[0]["conversation_id"]
    assert parrot("-m", "parrot", "aside").out == "aside\n"
    third = parrot("--cid", str(first_id), "three")
    assert third.out.endswith("] three\n")
    assert "[two -> " in third.out
    assert [row["conversation_id"] == first_id for row in logged(parrot)] == [True, True, False, True]


def test_the_json_of_an_answer_is_its_record(parrot: CommandLine) -> None:
    """`--json` prints what `logs list --json` holds; without the log there is no id to find it by."""
    ended = parrot("-m", "parrot", "--json", "-o", "times", "2", "ab")
    record = json.loads(ended.out)
    assert record == logged(parrot)[0]
    assert (record["prompt"], record["response"], record["status"]) == ("ab", "abab", "done")
    assert record["usage"]["output"] == 4
    unkept = json.loads(parrot("-m", "parrot", "--json", "-n", "x").out)
    assert unkept.keys() == record.keys()
    assert unkept["response"] == "x"
    assert len(logged(parrot)) == 1


def test_usage_goes_to_stderr(parrot: CommandLine) -> None:
    """`-u` adds one line, and not to the answer."""
    ended = parrot("-m", "parrot", "-u", "hi")
    assert (ended.out, ended.err) == ("hi\n", "Token usage: 3 input, 4 output\n")


def test_what_is_kept_follows_the_flags_and_the_settings(parrot: CommandLine) -> None:
    """`-n` keeps nothing; with logging off only `--log` keeps something."""
    parrot("-m", "parrot", "-n", "one")
    assert logged(parrot) == []
    (parrot.home / "config.json").write_text('{"logging": false}')
    parrot("-m", "parrot", "two")
    assert logged(parrot) == []
    parrot("-m", "parrot", "--log", "three")
    assert [row["prompt"] for row in logged(parrot)] == ["three"]


def test_a_key_comes_from_the_flag_the_store_or_the_variable(parrot: CommandLine) -> None:
    """In this order; without any, nothing is started and the sentence says what to do."""
    parrot.grant("parrot", "key=miser-key")
    missing = parrot("-m", "miser", "hi")
    assert missing.code == 4
    assert "llm keys set miser-key" in missing.err
    assert logged(parrot) == []
    parrot.variables = {"MISER_KEY": "from-variable"}
    assert parrot("-m", "miser", "hi").out == "key from-variable\n"
    assert parrot("keys", "set", "miser-key", "--value", "from-store").code == 0
    assert parrot("-m", "miser", "hi").out == "key from-store\n"
    assert parrot("-m", "miser", "--key", "literal", "hi").out == "key literal\n"
    assert parrot("keys", "set", "other", "--value", "by-name").code == 0
    assert parrot("-m", "miser", "--key", "other", "hi").out == "key by-name\n"


def test_a_key_that_was_not_granted_stays_where_it_is(parrot: CommandLine) -> None:
    """A stored key is for those whom its user named (sandbox.md §12); `--key` grants it for one prompt."""
    assert parrot("keys", "set", "miser-key", "--value", "from-store").code == 0

    refused = parrot("-m", "miser", "hi")

    assert (refused.code, refused.out) == (4, "")
    assert "'llm plugins grant parrot key=miser-key' allows it for good, and --key for one" in refused.err
    assert parrot("-m", "miser", "--key", "miser-key", "hi").out == "key from-store\n"
    assert parrot("-m", "miser", "hi").code == 4


@pytest.mark.parametrize(
    ("arguments", "piped", "code", "sentence"),
    [
        (["-m", "parot", "hi"], b"", 3, "there is no model 'parot'; did you mean 'parrot'?"),
        (["-m", "parrot", "-o", "times", "many", "hi"], b"", 2, "times"),
        (["-m", "parrot", "-o", "tims", "2", "hi"], b"", 2, "tims"),
        (["-m", "parrot"], b"\xff\xfe", 2, "not UTF-8 text; give it to a model as a file with '-a -'"),
        (["-m", "parrot", "-a", "no-such-file", "hi"], b"", 3, "'no-such-file' does not exist"),
        (["-m", "miser", "--key", "k", "-a", "-", "hi"], b"x", 2, "it takes no attachments"),
        (["-m", "miser", "--key", "k", "--schema", "{}", "x"], b"", 2, "cannot follow a schema"),
        (["-m", "parrot", "--schema", "[]", "x"], b"", 3, "there is no readable file '[]'"),
        (["-m", "parrot", "--schema", "{", "x"], b"", 2, "the schema is not a JSON object"),
        (["-m", "parrot", "-c", "hi"], b"", 3, "there is no conversation yet"),
        (["-m", "parrot", "--cid", "nope", "hi"], b"", 3, "there is no conversation 'nope'"),
        (["-m", "parrot", "-c", "--cid", "x", "hi"], b"", 2, "-c and --cid exclude each other"),
        (["-m", "parrot", "--timeout", "0", "hi"], b"", 2, "--timeout"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    parrot: CommandLine, arguments: list[str], piped: bytes, code: int, sentence: str
) -> None:
    """[P-65] [P-64] Each mistake has its exit code, names the thing, and leaves stdout empty."""
    ended = parrot(*arguments, piped=piped)
    assert (ended.code, ended.out) == (code, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_the_default_model_is_the_users_choice_else_the_bundled_one(parrot: CommandLine) -> None:
    """`models default` sets, shows and removes it; an alias becomes the model's id."""
    assert parrot("models", "default").out == "smollm2\n"
    assert parrot("models", "default", "polly").code == 0
    assert parrot("models", "default").out == "parrot\n"
    assert parrot("hi").out == "hi\n"
    assert parrot("models", "default", "--remove").code == 0
    assert parrot("models", "default").out == "smollm2\n"
    unknown = parrot("models", "default", "pirrot")
    assert unknown.code == 3
    assert "did you mean 'parrot'?" in unknown.err


def test_a_default_model_that_is_gone_is_named(parrot: CommandLine) -> None:
    """The sentence says that it was the user's choice and how to choose again."""
    parrot.home.mkdir()
    (parrot.home / "config.json").write_text('{"default_model": "ghost"}')
    ended = parrot("hi")
    assert ended.code == 3
    assert "the model that you made the default is not there" in ended.err
    assert "llm models default" in ended.err


def test_a_word_that_resembles_a_command_is_sent_with_a_hint(parrot: CommandLine) -> None:
    """`llm modles` is a prompt, as in `llm`; the hint is on stderr."""
    parrot.variables = {"LLM_MODEL": "parrot"}
    ended = parrot("modles")
    assert ended.out == "modles\n"
    assert "The command is 'llm models'" in ended.err


def test_an_answer_in_another_encoding_loses_no_more_than_it_must(parrot: CommandLine) -> None:
    """What stdout cannot express becomes a question mark; nothing fails."""
    parrot.variables = {"PYTHONIOENCODING": "latin-1"}
    ended = parrot.start("-m", "parrot", "größe 😀")
    out, err = ended.communicate(timeout=45)
    assert (ended.returncode, out, err) == (0, "größe ?\n".encode("latin-1"), b"")
