"""The parts of the local plugin that need no model: what it declares, sends, and says about machines."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.manifest import parse_manifest
from cellwall_local._chat import instruction_last, messages_for, request_for, stop_texts
from cellwall_local._engine import Engine, EngineProblem
from cellwall_local._machine import advice_for_import_error, missing_cpu_features
from cellwall_local._options import LocalOptions
from cellwall_sdk import Message, TextPart, ToolResultPart

if TYPE_CHECKING:
    from pathlib import Path


def said(role: str, text: str) -> Message:
    """A message of one text."""
    return Message(role, [TextPart(text)])


# -- what is declared ----------------------------------------------------------------------------------------


def test_the_manifest_declares_the_weights_and_files_of_the_user() -> None:
    """The file beside the module is what the host reads."""
    manifest = parse_manifest(files("cellwall_local").joinpath("plugin.toml").read_bytes())

    assert [spec.name for spec in manifest.assets] == ["smollm2"]
    assert manifest.assets[0].size == 98_362_432
    assert manifest.assets[0].license == "Apache-2.0"
    assert manifest.files is not None
    assert (manifest.files.suffixes, manifest.files.magic) == ([".gguf"], "GGUF")


def test_importing_the_plugin_loads_no_model_library() -> None:
    """Describing must be cheap, and work on machines where llama.cpp does not."""
    code = "import sys, cellwall_local, cellwall_local._model; print('xllamacpp' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "False\n"


# -- what is sent --------------------------------------------------------------------------------------------


def test_the_whole_chain_is_sent() -> None:
    """System prompt and history included."""
    chain = [
        said("system", "Be brief."),
        said("user", "Hi"),
        said("assistant", "Hello."),
        said("user", "Why?"),
    ]

    assert messages_for(chain, "unused") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Why?"},
    ]


def test_a_chain_without_a_system_prompt_gets_the_model_s_own() -> None:
    """The bundled model has one; for files of the user their template decides."""
    assert messages_for([said("user", "Hi")], "Help.")[0] == {"role": "system", "content": "Help."}
    assert messages_for([said("user", "Hi")], None) == [{"role": "user", "content": "Hi"}]


def test_neighbours_of_one_role_are_joined_and_tool_results_told() -> None:
    """Chat templates insist on alternation, and many know no tools."""
    result = Message("tool", [ToolResultPart(name="clock", output="12:00")])
    chain = [said("user", "Time?"), said("assistant", ""), result, said("user", "Well?"), said("user", "")]

    assert messages_for(chain, None) == [
        {"role": "user", "content": "Time?\n\nResult of clock: 12:00\n\nWell?"},
    ]


def test_an_empty_prompt_is_sent_as_such() -> None:
    """A chat template needs a user's turn."""
    assert messages_for([said("user", "")], None) == [{"role": "user", "content": ""}]


def test_an_instruction_about_a_text_is_moved_behind_it() -> None:
    """A very small model follows what it has read last; short prompts are left as they are."""
    text = "x" * 200
    chain = [
        said("system", "Summarise."),
        said("user", text),
        said("assistant", "X."),
        said("user", "Shorter."),
    ]

    assert instruction_last(messages_for(chain, "Help."), "Help.") == [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": f"Here is a text:\n\n{text}\n\nThat was the text. Summarise."},
        {"role": "assistant", "content": "X."},
        {"role": "user", "content": "Shorter."},
    ]

    for unchanged in ([said("system", "Summarise."), said("user", "Short.")], [said("user", text)]):
        messages = messages_for(unchanged, "Help.")
        assert instruction_last(messages, "Help.") == messages


def test_options_become_members_of_the_request() -> None:
    """Those that are not set are left to llama.cpp."""
    body = request_for([], LocalOptions(temperature=0.5, seed=7, stop='["a", "b"]'), None)

    assert body == {
        "messages": [],
        "max_tokens": 256,
        "temperature": 0.5,
        "seed": 7,
        "dry_multiplier": 0.8,
        "stop": ["a", "b"],
    }


def test_a_schema_becomes_a_response_format() -> None:
    """The form that llama.cpp turns into a grammar."""
    schema = {"type": "object"}

    body = request_for([], LocalOptions(), schema)

    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema},
    }


@pytest.mark.parametrize(
    ("option", "texts"),
    [(None, []), ("END", ["END"]), ('["a","b"]', ["a", "b"]), ("[x", ["[x"]), ("[1]", ["[1]"])],
)
def test_stop_is_one_text_or_a_json_list(option: str | None, texts: list[str]) -> None:
    """What looks like a list and is none is taken as it stands."""
    assert stop_texts(option) == texts


# -- what is said about machines -----------------------------------------------------------------------------


def test_a_cpu_without_the_needed_instructions_is_recognised() -> None:
    """The alternative is a crash by an illegal instruction."""
    assert missing_cpu_features("processor : 0\nflags\t\t: fpu avx avx2 fma bmi2\n") == []
    assert missing_cpu_features("flags : fpu avx fma\nflags : avx2 bmi2\n") == ["avx2", "bmi2"]
    assert missing_cpu_features("") == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ImportError("libgomp.so.1: cannot open shared object file"), "`apt-get install libgomp1`"),
        (ImportError("libstdc++.so.6: version `GLIBCXX_3.4.29' not found"), "`apt-get install libstdc++6`"),
        (
            ModuleNotFoundError("No module named 'xllamacpp'", name="xllamacpp"),
            "install cellwall-local again",
        ),
        (ImportError("something else"), "something else"),
    ],
)
def test_a_library_that_cannot_be_loaded_comes_with_advice(error: ImportError, advice: str) -> None:
    """Slim containers lack libgomp1."""
    assert advice in advice_for_import_error(error)


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    """Before llama.cpp is asked, which would say nothing."""
    text = tmp_path / "text.gguf"
    text.write_text("hello")

    with pytest.raises(EngineProblem, match=r"text\.gguf is not a GGUF model"):
        Engine(text, context=256)
    with pytest.raises(EngineProblem, match=r"gone\.gguf cannot be read: No such file"):
        Engine(tmp_path / "gone.gguf", context=256)
