"""The pytest plugin: the project's own plugin as a fixture, on one or several transports, and its examples.

    def test_it_shouts(cellwall_plugin):
        assert cellwall_plugin.prompt("hello") == "HELLO"

Fixtures: `cellwall_plugin`, `cellwall_open`, `cellwall_transport`. Markers: `cellwall_transport(*names)`.
Options: --cellwall-transport, --cellwall-record. Settings: cellwall_plugin, cellwall_transports,
cellwall_timeout, cellwall_transcripts, cellwall_examples. See docs/testing.md.

pytest loads this module in every project of an environment that has the SDK, so all else is imported when a
test asks for it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from .testing import Example, PluginUnderTest, Project, Tape

__all__ = [
    "cellwall_open",
    "cellwall_plugin",
    "cellwall_project",
    "cellwall_transport",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
    "pytest_enter_pdb",
    "pytest_generate_tests",
    "pytest_runtest_makereport",
]

TRANSPORTS = ("memory", "child", "recorded")
KEY_VARIABLE = "CELLWALL_TEST_KEY_"
"""How the variable begins that holds a key for an example: CELLWALL_TEST_KEY_ACME for the alias `acme`."""

NO_MEMORY = "the plugin {} is a program of its own, which does not run in memory"

_opened = pytest.StashKey["list[PluginUnderTest]"]()
_passed = pytest.StashKey[bool]()
_debugging = pytest.StashKey[bool]()
_project = pytest.StashKey["Project"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the settings."""
    group = parser.getgroup("cellwall", "plugins for Cellwall")
    group.addoption(
        "--cellwall-transport",
        metavar="NAME",
        help="memory, child or recorded, or several with commas: how the plugin under test is run",
    )
    group.addoption(
        "--cellwall-record",
        action="store_true",
        help="write what each test says to the plugin, and the other way, for the transport recorded",
    )
    parser.addini(
        "cellwall_plugin", "the plugin under test: entry point, MODULE:ATTR, or PATH/plugin.toml", default=""
    )
    parser.addini("cellwall_transports", "how it is run, by default", type="args", default=[])
    parser.addini("cellwall_timeout", "how long one answer may take (seconds; 0: for ever)", default="30")
    parser.addini("cellwall_transcripts", "the folder of the transcripts", default="tests/transcripts")
    parser.addini("cellwall_examples", "whether the manifest's examples are tests", type="bool", default=True)


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means, and have the manifest collected where only a folder of tests would be."""
    config.addinivalue_line(
        "markers", "cellwall_transport(*names): run the test on these, whatever the settings say"
    )
    config.stash[_debugging] = bool(config.getoption("usepdb", default=False))
    sources = getattr(pytest.Config, "ArgsSource", None)
    if sources is None or config.args_source is not sources.TESTPATHS:
        return
    manifest = _manifest_of(config)
    if manifest is not None:
        config.args.append(str(manifest))


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Let a person who debugs take their time."""
    from .testing._memory import debugging

    config.stash[_debugging] = True
    debugging.set()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once on each transport that is wanted."""
    if "cellwall_transport" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("cellwall_transport")
        names = _transports(metafunc.config, marker.args if marker is not None else ())
        metafunc.parametrize("cellwall_transport", names, indirect=True)


# -- fixtures --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cellwall_project(request: pytest.FixtureRequest) -> Project:
    """The plugin that this project makes; a project may override it to name another one."""
    from .testing import BadExample, NoPlugin

    try:
        return _project_of(request.config)
    except (NoPlugin, BadExample) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def cellwall_transport(request: pytest.FixtureRequest) -> str:
    """How the plugin under test is run: memory, child or recorded."""
    name: str = request.param
    return name


@pytest.fixture
def cellwall_open(
    request: pytest.FixtureRequest, cellwall_transport: str, cellwall_project: Project
) -> Generator[Callable[..., PluginUnderTest]]:
    """Open the plugin under test with settings of one's own: keys, answers, assets, timeout_s, variables."""
    from .testing import PluginUnderTest

    config, node = request.config, request.node
    tape, calls = _prepared(config, node, cellwall_transport, cellwall_project)
    opened: list[PluginUnderTest] = []
    node.stash[_opened] = opened

    def open_one(*, variables: dict[str, str] | None = None, **settings: Any) -> PluginUnderTest:
        def make(folder: Path) -> Any:
            if cellwall_transport == "recorded":
                from .testing._playing import Player

                return Player(calls)
            paths = [] if cellwall_project.source is None else [str(cellwall_project.source)]
            return cellwall_project.transport(cellwall_transport, folder, variables, paths)

        settings.setdefault("timeout_s", _timeout_s(config))
        plugin = PluginUnderTest(make, name=cellwall_project.name, tape=tape, **settings)
        opened.append(plugin)
        return plugin

    try:
        yield open_one
    finally:
        for plugin in opened:
            plugin.close()
    if tape is not None and tape.processes and node.stash.get(_passed, False):
        tape.save()


def _prepared(
    config: pytest.Config, node: Any, transport: str, project: Project
) -> tuple[Tape | None, list[Any]]:
    """What a transport needs beside the plugin: a file to record to, or what was recorded."""
    from .testing import BadTranscript, Tape
    from .testing._recording import read_calls

    path = _transcript(config, node)
    if transport == "recorded":
        try:
            return None, list(read_calls(path))
        except BadTranscript as error:
            pytest.fail(f"{error} Record it with `pytest --cellwall-record`.", pytrace=False)
    if transport == "memory":
        if project.command:
            pytest.skip(NO_MEMORY.format(project.name))
        _make_importable(project)
    return Tape(path, project.name) if config.getoption("cellwall_record") else None, []


@pytest.fixture
def cellwall_plugin(cellwall_open: Callable[..., PluginUnderTest]) -> PluginUnderTest:
    """The plugin under test; it is started when it is first asked."""
    return cellwall_open()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the plugin printed with a test that failed."""
    report = yield
    if call.when == "call":
        item.stash[_passed] = report.passed
    if report.failed and call.when == "call":
        for plugin in item.stash.get(_opened, list[Any]()):
            if plugin.printed.strip():
                report.sections.append((f"Printed by the plugin {plugin.name}", plugin.printed))
    return report


# -- examples --------------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the examples of the project's manifest."""
    if file_path.name != "plugin.toml" and not file_path.name.endswith(".plugin.toml"):
        return None
    manifest = _manifest_of(parent.config)
    if manifest is None or manifest.resolve() != file_path.resolve():
        return None
    made: pytest.Collector = _Manifest.from_parent(parent, path=file_path)  # pyright: ignore[reportUnknownMemberType]  # pytest's own signature
    return made


class _Manifest(pytest.File):
    """A manifest with examples."""

    def collect(self) -> Iterable[pytest.Item]:
        """Give each example on each transport that can run it."""
        project = _project_of(self.config)
        names = [name for name in _transports(self.config, ()) if name != "recorded"]
        for number, example in enumerate(project.examples, start=1):
            for name in names:
                title = f"example {number}: {example.title[:60]} [{name}]"
                yield _ExampleItem.from_parent(  # pyright: ignore[reportUnknownMemberType]  # as above
                    self, name=title, example=example, project=project, transport=name
                )


class _ExampleItem(pytest.Item):
    """An example on a transport."""

    def __init__(self, *, example: Example, project: Project, transport: str, **others: Any) -> None:
        super().__init__(**others)  # pyright: ignore[reportUnknownMemberType]  # as above
        self._example = example
        self._project = project
        self._transport = transport

    def runtest(self) -> None:
        """Ask the plugin, and hold its answer against the example."""
        from .testing import PluginUnderTest

        keys: dict[str, str] = {}
        alias = self._example.needs_key
        if alias is not None:
            variable = KEY_VARIABLE + re.sub(r"\W", "_", alias).upper()
            if variable not in os.environ:
                pytest.skip(f"it needs the key '{alias}': set {variable}")
            keys[alias] = os.environ[variable]
        if self._transport == "memory":
            if self._project.command:
                pytest.skip(NO_MEMORY.format(self._project.name))
            _make_importable(self._project)
        paths = [] if self._project.source is None else [str(self._project.source)]
        plugin = PluginUnderTest(
            lambda folder: self._project.transport(self._transport, folder, None, paths),
            name=self._project.name,
            timeout_s=_timeout_s(self.config),
        )
        self.stash[_opened] = [plugin]
        with plugin:
            self._example.run(plugin, keys=keys)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the difference, and what the plugin says for itself; the kit's own frames help nobody."""
        del style
        error = excinfo.value
        from .testing import ExampleFailed, PromptFailed

        if isinstance(error, ExampleFailed | PromptFailed):
            kind = f"{error.kind}: " if isinstance(error, PromptFailed) else ""
            return "\n".join([f"{kind}{error}", *getattr(error, "__notes__", ())])
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where the example stands."""
        return self.path, None, self.name


# -- settings --------------------------------------------------------------------------------------------


def _transports(config: pytest.Config, marked: tuple[str, ...]) -> list[str]:
    """Which transports are wanted: those of the marker, the option, the settings, or the usual ones."""
    option = config.getoption("cellwall_transport")
    names = list(marked) or (option.split(",") if option else list(config.getini("cellwall_transports")))
    for name in names:
        if name not in TRANSPORTS:
            raise pytest.UsageError(f"'{name}' is no transport; there are {', '.join(TRANSPORTS)}")
    if names:
        return names
    from .testing import NoPlugin

    try:
        return ["child"] if _project_of(config).command else ["memory"]
    except NoPlugin:
        return ["memory"]


def _project_of(config: pytest.Config) -> Project:
    if _project not in config.stash:
        from .testing import find_project

        config.stash[_project] = find_project(config.rootpath, config.getini("cellwall_plugin"))
    return config.stash[_project]


def _manifest_of(config: pytest.Config) -> Path | None:
    """The manifest whose examples are tests of this project, if there are any."""
    if not config.getini("cellwall_examples"):
        return None
    pyproject = config.rootpath / "pyproject.toml"
    if not config.getini("cellwall_plugin"):
        try:
            # Most projects load no more than this.
            if "entry-points" not in pyproject.read_text("utf-8"):
                return None
        except (OSError, UnicodeDecodeError):
            return None
    from .testing import BadExample, NoPlugin

    try:
        project = _project_of(config)
    except NoPlugin:
        return None  # a test that asks for the plugin is told why
    except BadExample as error:
        raise pytest.UsageError(str(error)) from error
    return project.manifest if project.examples else None


def _timeout_s(config: pytest.Config) -> float | None:
    seconds = float(config.getini("cellwall_timeout"))
    return None if not seconds or config.stash[_debugging] else seconds


def _make_importable(project: Project) -> None:
    """Let the sources of a project that is not installed be imported, as in an editable install."""
    import sys

    if project.source is not None and str(project.source) not in sys.path:
        sys.path.insert(0, str(project.source))


def _transcript(config: pytest.Config, node: Any) -> Path:
    """Where the transcript of a test is: FOLDER/MODULE/TEST.jsonl."""
    name: str = getattr(node, "originalname", None) or node.name
    others = getattr(node, "callspec", None)
    words = "" if others is None else re.sub(rf"(?:^|-)(?:{'|'.join(TRANSPORTS)})(?=-|$)", "", others.id)
    if words:
        name = f"{name}-{re.sub(r'[^A-Za-z0-9_.-]', '_', words).strip('-')}"
    folder = config.rootpath / str(config.getini("cellwall_transcripts"))
    return folder / str(node.path.stem) / f"{name}.jsonl"
