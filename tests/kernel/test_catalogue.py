"""The catalogue with real plugins: asked once, asked again after any change, and never in the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from cellwall_kernel.catalogue import Catalogue, Entry
from cellwall_kernel.errors import NotFound
from cellwall_kernel.paths import Paths
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import DescribeResult
from tests.children.kit import (
    PATIENCE_S,
    environment_of,
    install,
    install_editable,
    plugin_source,
    uninstall,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


ROOT = Path(__file__).parents[2]


class Scene:
    """A site folder with plugins that note their starts, and a user folder.

    Args:
        folder: where both are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.site.mkdir()
        self.paths = Paths(folder / "home")
        self.environment = environment_of(self.site)

    def source(self, name: str, **settings: str) -> str:
        """Return the source of a plugin of the zoo that counts; `settings` are its constants."""
        values = {"models": name, "aliases": "", "delay_s": "0", **settings}
        head, _, rest = plugin_source("counted").partition("# settings\n")
        constants = "".join(f"{key.upper()} = {value!r}\n" for key, value in values.items())
        return head + constants + rest.partition("# end of settings\n")[2]

    def edit(self, name: str, models: str) -> None:
        """Have a plugin installed for editing, and write its source as its author does."""
        folders = (("site", str(self.site)),)  # where `.pth` files count
        self.environment = msgspec.structs.replace(self.environment, folders=folders)
        project = self.folder / f"project-{name}"
        module = project / "src" / f"llm_{name}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(self.source(name, models=models), "utf-8")
        if not (self.site / f"_llm_{name}.pth").exists():
            install_editable(self.site, f"llm-{name}", project, name, f"llm_{name}")

    def install(self, name: str, version: str = "1.0", **settings: str) -> None:
        """Install a plugin of the zoo that counts; `settings` are its constants."""
        source = self.source(name, **settings)
        install(
            self.site,
            f"llm-{name}",
            {f"llm_{name}.py": source},
            points={name: f"llm_{name}"},
            version=version,
        )

    def load(self, owners: Mapping[str, str] | None = None) -> Catalogue:
        """Load the catalogue as a command does."""
        return Catalogue.load(self.paths, environment=self.environment, owners=owners or {})

    def ask(self, work: Callable[[Catalogue, Supervisor], Awaitable[object]]) -> Catalogue:
        """Load the catalogue and do something with it that may start plugins."""
        catalogue = self.load()

        async def run() -> None:
            with anyio.fail_after(2 * PATIENCE_S):
                async with Supervisor(self.paths) as supervisor:
                    await work(catalogue, supervisor)

        anyio.run(run)
        return catalogue

    def lists(self, *, is_thorough: bool = False) -> Catalogue:
        """Do what `llm models list` does (thorough: `llm plugins list`)."""
        return self.ask(lambda catalogue, supervisor: catalogue.refresh(supervisor, is_thorough=is_thorough))

    def need(self, model: str) -> Catalogue:
        """Do what a prompt does."""
        return self.ask(lambda catalogue, supervisor: catalogue.require_model(supervisor, model))

    def starts(self) -> list[str]:
        """Return the plugins that were started since the last look, in the order of their names."""
        found: list[str] = []
        for notes in self.paths.root.glob("plugins/*/data/notes"):
            found += notes.read_text("utf-8").split()
            notes.unlink()
        return sorted(line.removeprefix("llm_") for line in found)

    def have_all_fail(self, fail: bool = True) -> None:
        """Have every plugin that is there fail from now on, or no longer."""
        for name in self.load().entries:
            failure = self.paths.plugin_data(name) / "failure"
            failure.touch() if fail else failure.unlink(missing_ok=True)

    @property
    def file(self) -> Path:
        """The catalogue's file."""
        return self.paths.catalogue_dir / f"{self.environment.id}.json"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Two plugins, `a` and `b`, each with a model of its name."""
    scene = Scene(tmp_path)
    scene.install("a")
    scene.install("b")
    return scene


def states(catalogue: Catalogue) -> dict[str, str]:
    """Return every plugin's state."""
    return {name: entry.state for name, entry in catalogue.entries.items()}


def models(catalogue: Catalogue) -> list[str]:
    """Return the ids of all models."""
    return [model.id for _, model in catalogue.models()]


def test_every_plugin_is_asked_once(scene: Scene) -> None:
    """The first command asks, later ones read (anchor 24)."""
    assert states(scene.load()) == {"a": "new", "b": "new"}

    assert models(scene.lists()) == ["a", "b"]
    assert scene.starts() == ["a", "b"]

    again = scene.lists(is_thorough=True)
    assert (models(again), scene.starts(), again.is_complete) == (["a", "b"], [], True)


def test_reading_needs_neither_an_event_loop_nor_the_packaging_library(scene: Scene) -> None:
    """`llm models list` with nothing new must cost a file and a few looks (anchor 24)."""
    scene.lists()
    scene.load()  # the plugins' first import has left bytecode in the folder, which is looked at once
    site, home = str(scene.site), str(scene.paths.root)
    code = (
        "import sys; from pathlib import Path\n"
        "from cellwall_kernel.catalogue import Catalogue\nfrom cellwall_kernel.discovery import Environment\n"
        "from cellwall_kernel.paths import Paths\nhere = Environment.current()\n"
        f"folders = (('path', {site!r}),)\n"
        f"env = Environment(python=here.python, prefix={site!r}, tag=here.tag, folders=folders)\n"
        f"catalogue = Catalogue.load(Paths(Path({home!r})), environment=env, owners={{}})\n"
        "assert len(catalogue.models()) == 2; print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=PATIENCE_S)

    assert done.returncode == 0, done.stderr.decode()
    loaded = done.stdout.decode()
    for heavy in (
        "anyio",
        "asyncio",
        "importlib.metadata",
        "subprocess",
        "hashlib",
        "sqlite3",
        "urllib.request",
    ):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize("change", ["install", "upgrade", "downgrade", "uninstall", "reinstall", "edit"])
def test_a_change_of_what_is_installed_is_seen_by_the_next_command(change: str, scene: Scene) -> None:
    """No command of the user's is needed, and nobody is asked but who has changed (anchor 25)."""
    if change == "edit":
        scene.edit("b", "b")
    scene.lists()
    scene.starts()

    match change:
        case "install":
            scene.install("c")
            expected = (["a", "b", "c"], ["c"])
        case "upgrade":
            scene.install("b", version="2.0", models="b2")
            expected = (["a", "b2"], ["b"])
        case "downgrade":
            scene.install("b", version="0.9", models="b0")
            expected = (["a", "b0"], ["b"])
        case "edit":
            scene.edit("b", "b4")
            expected = (["a", "b4"], ["b"])
        case "reinstall":
            scene.install("b", models="b3")
            expected = (["a", "b3"], ["b"])
        case _:
            uninstall(scene.site, "llm-b")
            expected = (["a"], list[str]())

    assert (models(scene.lists()), scene.starts()) == expected


def test_another_interpreter_or_sdk_has_everybody_asked_again(scene: Scene) -> None:
    """Compiled code and answers do not survive it (anchor 25)."""
    scene.lists()
    scene.starts()

    scene.environment = msgspec.structs.replace(scene.environment, tag="another")
    assert (models(scene.lists()), scene.starts()) == (["a", "b"], ["a", "b"])

    install(scene.site, "cellwall-sdk", {}, points={}, version="99")
    assert (models(scene.lists()), scene.starts()) == (["a", "b"], ["a", "b"])


def test_a_prompt_for_a_known_model_asks_nobody(scene: Scene) -> None:
    """Not even a plugin that is new: the model was found without it."""
    scene.lists()
    scene.install("c")
    scene.starts()

    catalogue = scene.need("a")

    assert (scene.starts(), states(catalogue)["c"]) == ([], "new")


def test_a_prompt_for_an_unknown_model_asks_those_that_are_new(scene: Scene) -> None:
    """And finds it."""
    scene.lists()
    scene.install("c", models="see")
    scene.starts()

    entry, model = scene.need("see").find_model("see")

    assert (entry.name, model.id, scene.starts()) == ("c", "see", ["c"])


def test_a_plugin_that_hangs_costs_a_prompt_for_another_nothing_but_a_second(scene: Scene) -> None:
    """It is left alone once the model is found, and is not waited for by later lists either."""
    scene.install("hangs", delay_s="60")
    began = time.monotonic()

    catalogue = scene.need("a")

    assert states(catalogue) == {"a": "ready", "b": "ready", "hangs": "slow"}
    assert time.monotonic() - began < PATIENCE_S  # far below what the plugin wants
    scene.starts()
    assert (models(scene.lists()), scene.starts()) == (["a", "b"], [])
    assert "takes long to start" in (scene.load().entries["hangs"].cause or "")


def test_a_slow_plugin_is_waited_for_when_it_is_needed(scene: Scene) -> None:
    """Slow is not broken: a prompt for its model, which nobody else offers, has the patience."""
    scene.install("slow", delay_s="1.5")
    assert states(scene.need("a"))["slow"] == "slow"

    assert states(scene.need("slow"))["slow"] == "ready"


def test_a_failure_is_kept_with_its_cause_and_asked_again_after_any_change(scene: Scene) -> None:
    """A broken plugin must not slow every command down; what was missing may be installed later."""
    scene.have_all_fail()
    catalogue = scene.lists()
    assert states(catalogue) == {"a": "failed", "b": "failed"}
    error = catalogue.entries["a"].error
    assert error is not None
    assert "RuntimeError: the file of failure exists (" in error.message
    assert error.kind == "PluginBroken"
    scene.starts()

    assert (states(scene.lists()), scene.starts()) == ({"a": "failed", "b": "failed"}, [])

    scene.have_all_fail(False)
    install(scene.site, "something", {}, points={})
    assert (states(scene.lists()), scene.starts()) == ({"a": "ready", "b": "ready"}, ["a", "b"])


def test_a_plugin_with_a_known_problem_is_never_started(scene: Scene) -> None:
    """Discovery has seen it, so there is nothing to ask."""
    install(scene.site, "llm-bad", {}, points={"bad": "not a module"})

    catalogue = scene.lists()

    assert states(catalogue)["bad"] == "failed"
    assert "is not MODULE or MODULE:ATTRIBUTE" in (catalogue.entries["bad"].cause or "")


def change_file(scene: Scene, name: str, **members: object) -> None:
    """Change members of one entry in the catalogue's file."""
    content = json.loads(scene.file.read_text("utf-8"))
    content["entries"][name].update(members)
    scene.file.write_text(json.dumps(content), "utf-8")


def test_a_damaged_entry_costs_one_question(scene: Scene) -> None:
    """Every entry is read by itself (anchor 25)."""
    scene.lists()
    scene.starts()
    change_file(scene, "a", state=3)

    assert (models(scene.lists()), scene.starts()) == (["a", "b"], ["a"])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 1}', b"[" * 5000])
def test_a_damaged_file_is_made_anew(content: bytes, scene: Scene) -> None:
    """It is a cache: it may be lost."""
    scene.lists()
    scene.file.write_bytes(content)

    assert models(scene.lists()) == ["a", "b"]
    assert models(scene.load()) == ["a", "b"]


def test_an_answer_that_has_expired_is_renewed_by_a_list(scene: Scene) -> None:
    """Some plugins ask a service which models it has."""
    scene.lists()
    scene.starts()
    change_file(scene, "a", expires_at=time.time() - 1)
    assert not scene.load().is_complete

    assert (models(scene.lists()), scene.starts()) == (["a", "b"], ["a"])
    assert scene.load().is_complete


def test_an_answer_that_cannot_be_renewed_is_used_on_and_says_so(scene: Scene) -> None:
    """A service may be out of reach; its models are then still known."""
    scene.lists()
    change_file(scene, "a", expires_at=time.time() - 1)
    scene.have_all_fail()

    catalogue = scene.lists()

    assert (models(catalogue), states(catalogue)["a"]) == (["a", "b"], "ready")
    assert "the file of failure exists" in (catalogue.entries["a"].cause or "")
    assert scene.load().is_complete  # and it is not tried again at once


def test_a_plugin_that_turned_out_different_is_asked_again(scene: Scene) -> None:
    """Whoever notices says so, and the next command knows better."""
    scene.lists()
    scene.starts()

    scene.load().forget("a")

    assert states(scene.load()) == {"a": "new", "b": "ready"}
    assert (models(scene.lists()), scene.starts()) == (["a", "b"], ["a"])


def test_models_are_found_by_id_before_alias_and_by_the_users_choice(scene: Scene) -> None:
    """Two plugins may offer the same name; both are reported, and the choice is kept."""
    scene.install("c", models="shared", aliases="a")
    scene.install("d", models="shared", aliases="short")
    catalogue = scene.lists()

    assert catalogue.find_model("a")[0].name == "a"
    assert catalogue.find_model("shared")[0].name == "c"
    assert catalogue.find_model("short")[0].name == "d"
    chosen = scene.load(owners={"shared": "d", "a": "gone"})
    assert chosen.find_model("shared")[0].name == "d"
    assert [(found.name, found.plugins, found.owner) for found in chosen.collisions()] == [
        ("a", ["a", "c"], "a"),
        ("shared", ["c", "d"], "d"),
    ]
    assert [(entry.name, model.id) for entry, model in chosen.models()] == [
        ("a", "a"),
        ("b", "b"),
        ("d", "shared"),
    ]


def test_an_unknown_model_is_answered_with_similar_names(scene: Scene) -> None:
    """People mistype."""
    scene.install("gpt", models="gpt-4o,gpt-4o-mini")
    install(scene.site, "llm-bad", {}, points={"bad": "not a module"})
    catalogue = scene.lists()

    with pytest.raises(
        NotFound, match=r"there is no model 'GPT-4'; did you mean 'gpt-4o'.* Not asked: 'bad'"
    ):
        catalogue.find_model("GPT-4")
    with pytest.raises(NotFound, match=r"'zzz'; `llm models list` shows all\."):
        catalogue.find_model("zzz")


def test_commands_that_start_at_once_ask_each_plugin_once_and_lose_nothing(scene: Scene) -> None:
    """One asks, the others read what it wrote; the file is whole at each moment (anchor 26)."""
    code = (
        "import anyio, sys\nfrom pathlib import Path\nfrom cellwall_kernel.catalogue import Catalogue\n"
        "from cellwall_kernel.paths import Paths\nfrom cellwall_kernel.supervisor import Supervisor\n"
        "from tests.children.kit import environment_of\n"
        f"paths, env = Paths(Path({str(scene.paths.root)!r})), environment_of(Path({str(scene.site)!r}))\n"
        "async def main():\n"
        "    async with Supervisor(paths) as supervisor:\n"
        "        catalogue = Catalogue.load(paths, environment=env, owners={})\n"
        "        await catalogue.require_model(supervisor, sys.argv[1])\n"
        "        await catalogue.refresh(supervisor)\n"
        "        assert len(catalogue.models()) == 6, catalogue.entries\n"
        "anyio.run(main)\n"
    )
    for name in "cdef":
        scene.install(name)
    commands = [
        subprocess.Popen([sys.executable, "-c", code, name], stderr=subprocess.PIPE, cwd=ROOT)
        for name in "abcdef"
    ]

    reads = [content for command in commands for content in read_until_its_end(command, scene.file)]
    seen = [
        {name for name, entry in content["entries"].items() if entry["state"] == "ready"} for content in reads
    ]
    assert seen  # whoever reads meanwhile finds a whole file, and nothing that was known is lost
    for before, after in pairwise(seen):
        assert before <= after

    assert scene.starts() == ["a", "b", "c", "d", "e", "f"]
    assert states(scene.load()) == dict.fromkeys("abcdef", "ready")


def read_until_its_end(command: subprocess.Popen[bytes], file: Path) -> list[dict[str, Any]]:
    """Read a file of JSON again and again while a command runs, which must end well; return all contents."""
    found: list[dict[str, Any]] = []
    errors = b""
    end = time.monotonic() + 2 * PATIENCE_S
    while command.returncode is None:
        assert time.monotonic() < end
        with suppress(FileNotFoundError):
            found.append(json.loads(file.read_bytes()))
        with suppress(subprocess.TimeoutExpired):
            _, errors = command.communicate(timeout=0.002)
    assert command.returncode == 0, errors.decode()
    return found


def test_a_file_that_cannot_be_written_is_no_error(scene: Scene) -> None:
    """A read-only home costs time and nothing else."""
    scene.file.parent.mkdir(parents=True, exist_ok=True)
    (scene.file.parent / f"{scene.file.name}.lock").mkdir()

    assert models(scene.lists()) == ["a", "b"]


def test_a_description_that_is_too_large_is_refused(scene: Scene) -> None:
    """Every command would have to read it."""
    scene.install("a", models=",".join(f"model-{number:04}-{'x' * 100}" for number in range(8000)))

    catalogue = scene.lists()

    assert "describes itself in" in (catalogue.entries["a"].cause or "")
    assert models(catalogue) == ["b"]


def test_time_to_live_is_counted_from_the_answer(scene: Scene) -> None:
    """`ttl_ms` of a description, in milliseconds; without one it holds until something changes."""
    record = scene.load().entries["a"].record
    entry = Entry.first(record).answered(DescribeResult(digest="1", ttl_ms=60_000), "")

    assert entry.expires_at == pytest.approx(entry.asked_at + 60)
    assert not entry.is_expired
    assert Entry.first(record).answered(DescribeResult(digest="1"), "").expires_at is None
