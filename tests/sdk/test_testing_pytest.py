"""The SDK's pytest plugin, as an author meets it: pytest runs on a small project of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.sdk.pytesting import run_pytest, write_files

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = """
    [project]
    name = "llm-shout"
    version = "0.1.0"

    [project.entry-points.llm]
    shout = "llm_shout"

    [tool.pytest.ini_options]
    testpaths = ["tests"]
    addopts = ["--strict-markers", "--strict-config"]
    filterwarnings = ["error"]
"""

PLUGIN = """
    import os, sys
    from cellwall_sdk import KeyModel, Model, hookimpl

    class Shout(Model):
        model_id = "shout"

        def execute(self, prompt):
            if prompt.prompt == "pid":
                return str(os.getpid())
            if prompt.prompt == "fail":
                os.write(2, b"on standard error\\n")
                raise ValueError("no voice")
            return prompt.prompt.upper()

    class Locked(KeyModel):
        model_id = "locked"
        needs_key = "acme"

        def execute(self, prompt, key):
            return f"{len(key)}"

    @hookimpl
    def register_models(register):
        register(Shout())
        register(Locked())
"""

LINGER = """
            if prompt.prompt == "linger":
                import time
                time.sleep(0.6)
            return prompt.prompt.upper()
"""

TESTS = """
    import os

    def test_it_shouts(cellwall_plugin):
        assert cellwall_plugin.prompt("hello") == "HELLO"
"""

MANIFEST = """
    [[examples]]
    prompt = "hello"
    answer = "HELLO"

    [[examples]]
    prompt = "good morning"
    model = "shout"
    contains = "MORN"

    [[examples]]
    name = "with a key"
    prompt = "hi"
    model = "locked"
    matches = "^[0-9]+$"
    needs_key = "acme"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An author's project: a module at its top, nothing installed."""
    write_files(tmp_path, {"pyproject.toml": PYPROJECT, "llm_shout.py": PLUGIN, "tests/test_shout.py": TESTS})
    return tmp_path


def test_the_projects_plugin_is_found_and_asked(project: Path) -> None:
    """Issue 3, item 8: no setting is needed; the usual transport is memory."""
    ran = run_pytest(project, "-v")

    assert ran.counts(passed=1), ran.out
    assert "test_it_shouts[memory]" in ran.out


def test_each_test_runs_on_each_transport_that_is_wanted(project: Path) -> None:
    """Issue 3, anchor 39: by option, by setting and by marker; a child is another process."""
    write_files(
        project,
        {
            "tests/test_where.py": """
                import os, pytest

                def test_where(cellwall_plugin, cellwall_transport):
                    here = cellwall_plugin.prompt("pid") == str(os.getpid())
                    assert here is (cellwall_transport == "memory")

                @pytest.mark.cellwall_transport("child")
                def test_marked(cellwall_plugin):
                    assert cellwall_plugin.transport == "child"
            """
        },
    )
    assert run_pytest(project, "--cellwall-transport", "memory,child").counts(passed=5)
    assert run_pytest(project, "-o", "cellwall_transports=child memory").counts(passed=5)
    wrong = run_pytest(project, "--cellwall-transport", "pigeon")
    assert wrong.code != 0
    assert "'pigeon' is no transport; there are memory, child, recorded" in wrong.out


def test_what_was_recorded_is_played_without_the_plugin(project: Path) -> None:
    """Issue 3, anchor 39: recorded from a child, played when the plugin is gone, refused when it differs."""
    recorded = run_pytest(project, "--cellwall-transport", "child", "--cellwall-record")
    assert recorded.counts(passed=1), recorded.out
    assert (project / "tests/transcripts/test_shout/test_it_shouts.jsonl").is_file()
    (project / "llm_shout.py").unlink()

    assert run_pytest(project, "--cellwall-transport", "recorded").counts(passed=1)
    write_files(project, {"tests/test_shout.py": TESTS.replace('"hello"', '"hallo"')})
    other = run_pytest(project, "--cellwall-transport", "recorded")
    assert other.counts(failed=1)
    assert "the test asks something else than was recorded" in other.out
    write_files(project, {"tests/test_new.py": TESTS})
    assert (
        "Record it with `pytest --cellwall-record`"
        in run_pytest(project, "--cellwall-transport", "recorded", "tests/test_new.py").out
    )


def test_a_test_that_fails_records_nothing(project: Path) -> None:
    """House rule: a good transcript is not replaced by one of a mistake."""
    recording = ("--cellwall-transport", "child", "--cellwall-record")
    assert run_pytest(project, *recording).counts(passed=1)
    transcript = project / "tests/transcripts/test_shout/test_it_shouts.jsonl"
    before = transcript.read_bytes()
    write_files(project, {"tests/test_shout.py": TESTS.replace('"HELLO"', '"HALLO"')})

    assert run_pytest(project, *recording).counts(failed=1)
    assert transcript.read_bytes() == before


def test_nobody_is_hurried_in_a_debugger(project: Path) -> None:
    """Issue 3, item 8: a deadline does not run while a person looks around."""
    write_files(
        project,
        {
            "tests/test_shout.py": """
                import pdb, time

                def test_slow(cellwall_open, pytestconfig, monkeypatch):
                    plugin = cellwall_open(timeout_s=0.2)
                    pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
                    assert plugin.prompt("linger") == "LINGER"
            """,
            "llm_shout.py": PLUGIN.replace("return prompt.prompt.upper()", LINGER),
        },
    )
    ran = run_pytest(project)

    assert ran.counts(passed=1), ran.out


@pytest.mark.parametrize("transport", ["memory", "child"])
def test_a_failure_names_the_line_and_what_was_printed(project: Path, transport: str) -> None:
    """Issue 3, item 8: the author reads where it was, not where the kit is."""
    write_files(project, {"tests/test_shout.py": TESTS.replace('"hello"', '"fail"')})
    ran = run_pytest(project, "--cellwall-transport", transport)

    assert ran.counts(failed=1), ran.out
    assert "llm_shout.py" in ran.out
    assert 'raise ValueError("no voice")' in ran.out
    assert "on standard error" in ran.out


def test_the_examples_of_a_manifest_are_tests(project: Path) -> None:
    """Issue 3, anchor 39: documented examples are executed; one that needs a key is skipped without."""
    write_files(project, {"llm_shout.plugin.toml": MANIFEST})
    ran = run_pytest(project, "-v", "--cellwall-transport", "memory,child")
    assert ran.counts(passed=6, skipped=2), ran.out
    assert "it needs the key 'acme': set CELLWALL_TEST_KEY_ACME" in run_pytest(project, "-rs").out
    with_key = run_pytest(project, variables={"CELLWALL_TEST_KEY_ACME": "12345"})
    assert with_key.counts(passed=4), with_key.out
    assert run_pytest(project, "-o", "cellwall_examples=false").counts(passed=1)
    assert run_pytest(project, "llm_shout.plugin.toml", "-k", "hello").counts(passed=1)


def test_an_example_that_is_wrong_shows_the_difference(project: Path) -> None:
    """Issue 3, item 8: expected and actual text as a diff, without the kit's own frames."""
    write_files(project, {"llm_shout.plugin.toml": MANIFEST.replace('answer = "HELLO"', 'answer = "HALLO"')})
    ran = run_pytest(project)

    assert ran.counts(failed=1), ran.out
    assert "-HALLO" in ran.out
    assert "+HELLO" in ran.out
    assert "_examples.py" not in ran.out


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ('[[examples]]\nprompt = "a"\n', "exactly one of answer, contains, matches"),
        ('[[examples]]\nprompt = "a"\nanswer = "b"\nmatches = "c"\n', "exactly one of"),
        ('[[examples]]\nprompt = "a"\nmatches = "("\n', "is not a regular expression"),
        ('[[examples]]\nprompt = "a"\nanwser = "b"\n', "unknown field `anwser`"),
    ],
)
def test_an_example_that_cannot_be_used_is_refused(project: Path, manifest: str, words: str) -> None:
    """House rule: a typing error in an example does not pass as an example."""
    (project / "llm_shout.plugin.toml").write_text(manifest)
    ran = run_pytest(project)

    assert ran.code != 0
    assert words in ran.out
    assert "llm_shout.plugin.toml" in ran.out
    assert "Traceback" not in ran.out


def test_a_program_in_another_language_is_started_by_its_manifest(tmp_path: Path) -> None:
    """Issue 3, item 7: the kit tests a plugin of any language, here a program beside its manifest."""
    program = """
        import json, sys
        def answer(message, **members):
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **members}), flush=True)
        for line in sys.stdin:
            m = json.loads(line)
            if m.get("method") == "initialize":
                answer(m, result={"protocol": 1, "plugin": {"name": "bare"}})
            elif m.get("method") == "plugin/describe":
                answer(m, result={"digest": "1", "models": [{"id": "bare"}]})
            elif m.get("method") == "model/prompt":
                items = [{"t": "part", "part": 0, "type": "text"}, {"t": "delta", "part": 0, "text": "bare"}]
                params = {"id": m["id"], "seq": 0, "items": items}
                print(json.dumps({"jsonrpc": "2.0", "method": "$/data", "params": params}))
                answer(m, result={"finish": "stop", "items": 2})
    """
    write_files(
        tmp_path,
        {
            "pyproject.toml": PYPROJECT.replace('"llm_shout"', '"bare"'),
            "src/bare/__init__.py": "",
            "src/bare/main.py": program,
            "src/bare/plugin.toml": f"""
                command = ["{sys.executable}", "-u", "main.py"]

                [[examples]]
                prompt = "hi"
                answer = "bare"
            """,
            "tests/test_bare.py": """
                def test_bare(cellwall_plugin):
                    assert cellwall_plugin.prompt("x") == "bare"
            """,
        },
    )
    ran = run_pytest(tmp_path)
    assert ran.counts(passed=2), ran.out
    skipped = run_pytest(tmp_path, "--cellwall-transport", "memory", "-rs")
    assert "a program of its own" in skipped.out
    assert skipped.counts(skipped=2), skipped.out


def test_a_project_without_a_plugin_is_told_so(tmp_path: Path) -> None:
    """House rule: the message names the file, the cause and what to do."""
    write_files(tmp_path, {"pyproject.toml": "[tool.pytest.ini_options]\n", "test_x.py": TESTS})
    ran = run_pytest(tmp_path)

    assert ran.code == 1
    assert "which has none; say which one is meant by `cellwall_plugin = NAME`" in ran.out


def test_a_factory_opens_the_plugin_with_keys(project: Path) -> None:
    """Issue 3, item 8: keys, answers and assets of one's own."""
    write_files(
        project,
        {
            "tests/test_shout.py": """
                def test_keys(cellwall_open):
                    plugin = cellwall_open(keys={"acme": "1234"})
                    assert plugin.prompt("hi", model="locked") == "4"
            """
        },
    )
    assert run_pytest(project, "--cellwall-transport", "memory,child").counts(passed=2)


def test_other_projects_pay_nothing_for_it() -> None:
    """House rule: pytest loads the plugin everywhere, so it loads neither the kit nor msgspec."""
    code = (
        "import sys, pytest; before = set(sys.modules); import cellwall_sdk.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert set(done.stdout.split()) <= {"cellwall_sdk", "cellwall_sdk.pytest_plugin"}
