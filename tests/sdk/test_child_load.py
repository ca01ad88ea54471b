"""A real child: how a plugin is imported, and what is kept of an import that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import cellwall_wire as wire
from cellwall_wire import ErrorResponse, Response
from tests.sdk.hosting import Child, write_plugin

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
from cellwall_sdk import Model, hookimpl

class AwesomeModel(Model):
    model_id = "awesome-model"
    def execute(self, prompt, response):
        yield f"AwesomeModel says: {prompt.prompt}"

@hookimpl
def register_models(register):
    register(AwesomeModel())
"""

CLASSIC = """
from llm import Model, hookimpl

class AwesomeModel(Model):
    model_id = "awesome-model"

    def __init__(self):
        super().__init__(self.model_id)

    def execute(self, prompt):
        return f"AwesomeModel says: {prompt.prompt}"

@hookimpl
def register_models(register):
    register(AwesomeModel())
"""


@pytest.mark.parametrize("source", [GOOD, CLASSIC])
def test_both_forms_of_the_first_example_answer(tmp_path: Path, source: str) -> None:
    """DESIGN 5: the SDK's own form and the classic one, word for word."""
    write_plugin(tmp_path, source)

    with Child(tmp_path) as child:
        hello = child.start()
        described = child.describe()
        text, answer = child.prompt("Tell me something awesome!", model="awesome-model")

    assert hello.load_error is None
    assert (hello.protocol, hello.sdk is not None) == (1, True)
    assert [model.id for model in described.models] == ["awesome-model"]
    assert text == "AwesomeModel says: Tell me something awesome!"
    assert isinstance(answer, Response)


def test_an_entry_point_may_name_an_attribute(tmp_path: Path) -> None:
    """MODULE:ATTR, dotted if need be."""
    write_plugin(
        tmp_path,
        """
        from cellwall_sdk import Model, hookimpl
        class M(Model):
            model_id = "m"
            def execute(self): return "from an object"
        class Outer:
            class Plugin:
                @staticmethod
                @hookimpl
                def register_models(register): register(M())
        """,
    )

    with Child(tmp_path, "plugin:Outer.Plugin") as child:
        assert child.start().load_error is None
        assert child.prompt()[0] == "from an object"


def test_an_exception_at_import_is_kept_with_its_innermost_place(tmp_path: Path) -> None:
    """[P-34] The place is in the plugin's own code, not in a library it called."""
    package = tmp_path / "plugin"
    package.mkdir()
    (package / "__init__.py").write_text("from plugin import inner\n")
    (package / "inner.py").write_text("import json\n\njson.loads('{')\n")

    with Child(tmp_path) as child:
        error = child.start().load_error

    assert error is not None
    assert error.type == "JSONDecodeError"
    assert (error.file, error.line) == (str(package / "inner.py"), 3)
    assert error.message.startswith("JSONDecodeError: Expecting property name")
    assert error.message.endswith(f"({package / 'inner.py'}, line 3)")
    assert 'inner.py", line 3' in error.traceback
    assert "cellwall_sdk" not in error.traceback


@pytest.mark.parametrize(
    ("source", "kind", "line", "message"),
    [
        ("import nonexistent_library\n", "ModuleNotFoundError", 1, "No module named 'nonexistent_library'"),
        ("x = 1\ndef f(:\n    pass\n", "SyntaxError", 2, "SyntaxError: invalid syntax"),
        ("import sys\n\nsys.exit(3)\n", "SystemExit", 3, "the plugin called sys.exit(3)"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", 1, "KeyboardInterrupt"),
    ],
)
def test_every_failure_at_import_names_type_file_and_line(
    tmp_path: Path, source: str, kind: str, line: int, message: str
) -> None:
    """sys.exit() while importing is an import error, too."""
    write_plugin(tmp_path, source)

    with Child(tmp_path) as child:
        error = child.start().load_error

    assert error is not None
    assert (error.type, error.file, error.line) == (kind, str(tmp_path / "plugin.py"), line)
    assert message in error.message


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    """There is no file to blame."""
    with Child(tmp_path, "no_such_plugin") as child:
        error = child.start().load_error

    assert error is not None
    assert (error.file, error.line) == (None, None)
    assert error.message == "ModuleNotFoundError: No module named 'no_such_plugin'"


def test_a_missing_attribute_is_named(tmp_path: Path) -> None:
    """The module is there, the object is not."""
    write_plugin(tmp_path, "x = 1\n")

    with Child(tmp_path, "plugin:Plugin") as child:
        error = child.start().load_error

    assert error is not None
    assert "has no attribute 'Plugin'" in error.message


def test_every_later_call_repeats_why_the_import_failed(tmp_path: Path) -> None:
    """The message with file and line appears wherever the plugin is mentioned."""
    write_plugin(tmp_path, "raise ValueError('broken')\n")

    with Child(tmp_path) as child:
        child.start()
        for answer in (child.call("plugin/describe", wire.DescribeParams()), child.prompt()[1]):
            assert isinstance(answer, ErrorResponse)
            assert f"ValueError: broken ({tmp_path / 'plugin.py'}, line 1)" in answer.error.message


def test_what_the_sdk_does_not_have_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """The name llm is lent, and says what is missing."""
    write_plugin(tmp_path, "from llm import Model, Template\n")

    with Child(tmp_path) as child:
        error = child.start().load_error

    assert error is not None
    assert "the name llm is lent by Cellwall's SDK here, and the SDK has no 'Template'" in error.message


def test_the_lent_name_behaves_like_a_package(tmp_path: Path) -> None:
    """hasattr, submodules, star imports and the old get_key() work; unknown submodules say so."""
    write_plugin(
        tmp_path,
        """
        import llm
        from llm.parts import StreamEvent
        from llm import *

        assert not hasattr(llm, "Template")
        assert llm.StreamEvent is StreamEvent is globals()["StreamEvent"]
        assert llm.get_key("at hand", "alias", "VARIABLE") == "at hand"
        try:
            import llm.cli
        except ImportError as error:
            assert "has no 'cli'" in str(error), error
        try:
            llm.Template
        except AttributeError as error:
            assert "has no 'Template'" in str(error), error

        class M(llm.Model):
            model_id = "m"
            def execute(self, prompt):
                return f"{llm.get_key(alias='a')} {llm.get_key(alias='b')} {llm.user_dir().name}"

        @llm.hookimpl
        def register_models(register): register(M())
        """,
    )

    with Child(tmp_path, keys={"a": "secret"}) as child:
        assert child.start().load_error is None
        assert child.prompt()[0] == f"secret None {tmp_path.name}"


def test_an_installed_llm_wins_over_the_lent_one(tmp_path: Path) -> None:
    """And a plugin that is marked by it is told what that means."""
    (tmp_path / "llm.py").write_text(
        "def hookimpl(f):\n    f.llm_impl = {'tryfirst': False}\n    return f\nclass Model: pass\n"
    )
    write_plugin(tmp_path, CLASSIC)

    with Child(tmp_path) as child:
        error = child.start().load_error

    assert error is not None
    assert error.message.startswith("The plugin's hooks bear the mark of the llm package itself")


def test_what_is_printed_at_import_goes_to_the_log(tmp_path: Path) -> None:
    """[P-2] Python, C level and a grandchild alike; nothing can be read from standard input."""
    write_plugin(
        tmp_path,
        """
        import os, subprocess, sys
        print("printed")
        os.write(1, b"written\\n")
        subprocess.run(["sh", "-c", "echo from a grandchild; cat"], check=True, timeout=10)
        assert sys.stdin.read() == ""
        """
        + GOOD.replace("\n", "\n        "),
    )

    with Child(tmp_path) as child:
        assert child.start().load_error is None
        assert child.prompt(model="awesome-model")[0] == "AwesomeModel says: hi"
        log = child.stderr

    assert {"printed", "written", "from a grandchild"} <= set(log.splitlines())


def test_a_host_that_speaks_another_version_is_told_which_side_to_upgrade(tmp_path: Path) -> None:
    """[P-32] One answer, and the next attempt may succeed."""
    write_plugin(tmp_path, GOOD)
    hello = wire.InitializeParams(
        protocols=[7],
        host=wire.Peer(name="tests"),
        plugin=wire.PluginIdentity(name="plugin"),
        limits=wire.WireLimits(line=1 << 20, data_line=1 << 16),
        dirs=wire.Dirs(data="/", scratch="/"),
    )

    with Child(tmp_path) as child:
        answer = child.call("initialize", hello)
        assert isinstance(answer, ErrorResponse)
        assert answer.error.kind == "UnsupportedVersion"
        assert "upgrade the plugin's cellwall-sdk" in answer.error.message
        assert child.start().load_error is None


def test_folders_and_data_files_are_known_while_the_plugin_is_imported(tmp_path: Path) -> None:
    """[P-68] `initialize` comes first, so that a plugin may look at what it has."""
    (tmp_path / "weights.bin").write_bytes(b"w")
    write_plugin(
        tmp_path,
        """
        from cellwall_sdk import Model, assets, data_dir, hookimpl, user_dir
        weights = assets()["weights"]
        SEEN = f"{weights.path.read_bytes()} {weights.user} {data_dir() == user_dir()} {data_dir()}"
        class M(Model):
            model_id = "m"
            def execute(self): return SEEN
        @hookimpl
        def register_models(register): register(M())
        """,
    )

    with Child(tmp_path, assets={"weights": tmp_path / "weights.bin"}) as child:
        assert child.start().load_error is None
        assert child.prompt()[0] == f"b'w' False True {tmp_path}"
