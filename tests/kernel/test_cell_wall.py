"""The wall of a real cell: what happens when a layer is missing, and what runs inside it and what does not.

What the wall keeps out is the subject of `tests/escapes`; here it is whether it stands before anything
foreign runs, and what becomes of a plugin around which it cannot be built.
"""

from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import msgspec
import pytest

from cellwall_kernel import launch
from cellwall_kernel.confinement import confine
from cellwall_kernel.discovery import discover
from cellwall_kernel.errors import PluginBroken, PluginMisbehaved
from cellwall_kernel.paths import Paths
from cellwall_kernel.process import compose, spawn
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor, spawn_plugin
from cellwall_kernel.wall import DEFAULT_LIMITS, Mechanisms, raise_wall
from cellwall_wire import Delta, Limits
from tests.children.kit import HERE, PATIENCE_S, environment_of, grant, install, prompt
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.launch import Launch
    from cellwall_kernel.session import Session

NOTES_ITS_START = "open('ran', 'w').close()\n"
"""A plugin that leaves a file in its own folder as soon as a line of it runs."""

EXIT_NO_WALL, EXIT_ORPHAN = 95, 96

GARBAGE = b"\xff" * 64
"""Eight instructions that no filter can hold."""


@pytest.fixture
def record(site: Path) -> PluginRecord:
    """A plugin that notes its start."""
    install(site, "llm-noted", {"noted.py": NOTES_ITS_START}, points={"noted": "noted"})
    return record_named("noted", site)


def record_named(name: str, *sites: Path) -> PluginRecord:
    """Return the record of an installed plugin."""
    return next(record for record in discover(environment_of(*sites)) if record.name == name)


def bare_mechanisms() -> Mechanisms:
    """Return what this machine can enforce, without bubblewrap; fails where that is nothing."""
    found = Mechanisms.detect()
    assert found.landlock
    assert found.seccomp is not None
    return msgspec.structs.replace(found, bubblewrap=None, bubblewrap_problem="this test leaves it out")


@pytest.fixture(params=["with bubblewrap", "without bubblewrap"])
def mechanisms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mechanisms:
    """What this machine can enforce, with and without bubblewrap; our interpreter is on the search path."""
    monkeypatch.setenv("PATH", f"{sys.base_prefix}/bin{os.pathsep}{os.environ['PATH']}")
    if request.param == "without bubblewrap":
        return bare_mechanisms()
    found = Mechanisms.detect()
    if found.bubblewrap is None:
        pytest.skip(f"no bubblewrap around the wall here: {found.bubblewrap_problem}")
    return found


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that no plugin may read unless it is granted."""
    path = tmp_path / "secret"
    path.write_text("sesame")
    return path


def planned(record: PluginRecord, paths: Paths, mechanisms: Mechanisms | None = None) -> Launch:
    """Plan a start as `spawn_plugin` does."""
    data, tmp = str(paths.plugin_data(record.name)), str(paths.plugin_tmp(record.name))
    return launch.plan(record, data=data, tmp=tmp, wall=confine(record, paths, mechanisms=mechanisms))


def started_with(record: PluginRecord, paths: Paths, changes: Mapping[str, Any]) -> tuple[int, str]:
    """Start a cell whose plan was changed on its way; returns the exit code and what stood on stderr."""
    plan = planned(record, paths, bare_mechanisms())
    assert plan.wall is not None
    with raise_wall(plan.wall) as wall:
        content = os.read(int(wall.arguments[0].partition("=")[2]), 1 << 20)
        reading, writing = os.pipe()
        os.write(writing, marshal.dumps(marshal.loads(content) | changes, 2))
        os.close(writing)
        with subprocess.Popen(
            [*plan.argv, f"wall={reading}", wall.arguments[1]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(*wall.descriptors, reading),
            env=plan.env,
            cwd=plan.cwd,
        ) as cell:
            os.close(reading)
            assert cell.stdin is not None
            assert cell.stdout is not None
            with suppress(BrokenPipeError):
                cell.stdin.write(compose(record.name, hello(), Limits()).unsent)
                cell.stdin.flush()
            cell.stdout.readline()  # its answer, or its end
            _, errors = cell.communicate(timeout=PATIENCE_S)
    wall.abandon()
    return cell.returncode, errors.decode()


def has_run(record: PluginRecord, paths: Paths) -> bool:
    """Whether a line of the plugin ran."""
    return (paths.plugin_data(record.name) / "ran").exists()


def test_the_same_cell_with_all_its_layers_runs(record: PluginRecord, paths: Paths) -> None:
    """Without this the tests below would prove nothing (sandbox.md §15)."""
    code, errors = started_with(record, paths, {})

    assert (code, errors) == (0, "")
    assert has_run(record, paths)


@pytest.mark.parametrize(
    ("changes", "layer"),
    [
        ({"ruleset": 250}, "Landlock"),
        ({"ruleset": 1, "late_rules": []}, "Landlock"),
        ({"late_rules": [("/proc/self", 1 << 62)]}, "Landlock rule"),
        ({"filter": GARBAGE, "pid_slots": ()}, "seccomp"),
        ({"sys_seccomp": 100_000}, "seccomp"),
        ({"limits": [(250, 1, 1)]}, "resource"),
        ({"listen": 1 << 20}, "port"),
    ],
    ids=["closed", "no ruleset", "unknown right", "garbage", "unknown call", "no limit", "no port"],
)
def test_a_layer_that_cannot_be_built_ends_the_cell_before_the_plugin(
    changes: dict[str, Any], layer: str, record: PluginRecord, paths: Paths
) -> None:
    """Fail closed (sandbox.md §5): code 95 and one sentence, and not a line of the plugin ran."""
    code, errors = started_with(record, paths, changes)

    assert code == EXIT_NO_WALL
    assert errors.startswith("the wall around this plugin could not be built: ")
    assert layer in errors
    assert errors.endswith("; it was not started.\n")
    assert not has_run(record, paths)


def test_a_wall_that_cannot_be_built_is_told_in_a_sentence(record: PluginRecord, paths: Paths) -> None:
    """[P-5] The user hears which layer it was, and not an exit code."""
    plan = planned(record, paths)
    assert plan.wall is not None
    policy = msgspec.structs.replace(
        plan.wall.policy, resources=msgspec.structs.replace(DEFAULT_LIMITS, files=1)
    )
    wall = msgspec.structs.replace(plan.wall, policy=policy)

    with pytest.raises(PluginBroken, match="'noted' cannot run: the wall around this plugin could not be"):
        start(record, paths, msgspec.structs.replace(plan, wall=wall))

    assert not has_run(record, paths)


def test_a_cell_whose_host_has_gone_before_it_began_does_not_begin(
    record: PluginRecord, paths: Paths
) -> None:
    """Inside bubblewrap the parent is never the host, so only the closed channel tells (sandbox.md §3)."""
    plan = planned(record, paths, bare_mechanisms())
    assert plan.wall is not None
    with raise_wall(plan.wall) as wall:
        os.close(wall.report)
        wall.report = 0
        argv = [*plan.argv, *wall.arguments]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, pass_fds=wall.descriptors, timeout=PATIENCE_S, check=False
        )

    assert done.returncode == EXIT_ORPHAN
    assert not has_run(record, paths)


def test_a_plugin_that_speaks_without_a_wall_is_stopped(record: PluginRecord, paths: Paths) -> None:
    """Its answer alone proves nothing: the cell must have said that the wall stands (sandbox.md §5)."""
    plan = planned(record, paths, bare_mechanisms())
    speaker = str(HERE / "programs" / "ignores_cancel.py")

    with pytest.raises(PluginMisbehaved, match="was stopped: it began to run without its wall"):
        start(record, paths, msgspec.structs.replace(plan, argv=(sys.executable, "-u", speaker)))


async def nothing_more(_session: Session) -> str:
    """Let the plugin end."""
    return ""


def start(
    record: PluginRecord,
    paths: Paths,
    plan: Launch,
    work: Callable[[Session], Awaitable[str]] = nothing_more,
) -> str:
    """Start a plan, bring the plugin to where it can be called, and do something with it."""

    async def scene() -> str:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths) as supervisor:
                spawned = spawn(plan)
                spawned.greet(compose(record.name, hello(), Limits()))
                return await work(await supervisor.start(record, spawned=spawned))

    return anyio.run(scene)


@pytest.mark.parametrize("kind", ["location", "code"])
def test_code_around_the_user_folder_is_refused(kind: str, site: Path) -> None:
    """Landlock cannot take a folder out of another (sandbox.md §5): the keys would be readable."""
    install(site, "llm-noted", {"noted.py": NOTES_ITS_START}, points={"noted": "noted"})
    record, paths = record_named("noted", site), Paths(site / "mine" / "home")
    if kind == "code":
        (site.parent / "elsewhere").mkdir()
        record = msgspec.structs.replace(record, location=str(site.parent / "elsewhere"), code=(str(site),))

    with pytest.raises(PluginBroken, match=f"was not started: its code lies in {site}, around your Cellwall"):
        spawn_plugin(record, paths, assets={})

    assert not has_run(record, paths)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A link to a harmless folder, in a folder that can be granted."""
    (tmp_path / "harmless").mkdir()
    link = tmp_path / "links" / "link"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "harmless")
    return link


def turn(link: Path, place: Path) -> None:
    """Have a link lead elsewhere."""
    link.unlink()
    link.symlink_to(place)


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize(
    "place", ["home", "home/plugins", ".", "/", "/proc", "/proc/self", "/sys", "/dev/shm"]
)
def test_a_grant_that_has_come_to_reach_too_far_is_refused_at_launch(
    kind: str, place: str, record: PluginRecord, paths: Paths, link: Path
) -> None:
    """Folders move: what a grant means is looked at whenever it is used (sandbox.md §5)."""
    grant(paths, record, f"{kind}={link}")
    assert planned(record, paths).wall is not None

    turn(link, link.parent.parent / place)

    with pytest.raises(PluginBroken, match=f"was not started: it was granted '{link}', which is"):
        spawn_plugin(record, paths, assets={})


@pytest.mark.parametrize("place", ["site", "kernel", "environment"])
def test_a_grant_that_has_come_to_reach_code_is_refused_at_launch(
    place: str, record: PluginRecord, paths: Paths, site: Path, link: Path
) -> None:
    """What a plugin wrote there would run outside its wall the next time (sandbox.md §3)."""
    places = {"site": site, "kernel": Path(launch.BOOTSTRAP).parent / "cell", "environment": Path(sys.prefix)}
    grant(paths, record, f"write={link}")

    turn(link, places[place])

    with pytest.raises(PluginBroken, match=f"it was granted to write '{link}', which reaches the code in"):
        spawn_plugin(record, paths, assets={})


def test_the_callers_folder_is_refused_where_it_holds_the_user_folder(
    record: PluginRecord, paths: Paths, tmp_path: Path, link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place "." is whatever folder the command is called in, resolved at launch (issue 4)."""
    monkeypatch.chdir(link.parent)
    grant(paths, record, "read=.")
    assert planned(record, paths).cwd == str(link.parent)

    monkeypatch.chdir(tmp_path)

    with pytest.raises(PluginBroken, match=r"granted '\.'.*; call it from another folder, or take the grant"):
        spawn_plugin(record, paths, assets={})


READS = """
import os, sys

def seen(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        return type(error).__name__
"""
"""Begins a program that tells what it can read."""


def test_code_of_an_environment_that_runs_by_itself_runs_inside_the_wall(
    mechanisms: Mechanisms, site: Path, paths: Paths, tmp_path: Path, secret: Path
) -> None:
    """`.pth` files and sitecustomize of a plugin's own environment are foreign code (sandbox.md §3)."""
    found = paths.plugin_data("noted") / "found"
    own = own_environment(tmp_path / "own")
    tell = f"open({str(found)!r}, 'a').write(__name__ + ' ' + seen({str(secret)!r}) + '\\n')\n"
    (own / "sitecustomize.py").write_text(READS + tell)
    (own / "early.py").write_text(READS + tell)
    (own / "early.pth").write_text("import early\n")
    install(own, "llm-noted", {"noted.py": NOTES_ITS_START}, points={"noted": "noted"})
    record = msgspec.structs.replace(
        record_named("noted", own),
        python=str(tmp_path / "own" / "bin" / "python"),
        folders=(("site", str(own)), *environment_of(site).folders),
    )

    start(record, paths, planned(record, paths, mechanisms))

    assert has_run(record, paths)
    lines = found.read_text("utf-8").splitlines()
    # Some Linux distributions bring a sitecustomize of their own, which comes first.
    has_its_own = Path(sysconfig.get_path("stdlib"), "sitecustomize.py").exists()
    expected = {"early"} if has_its_own else {"early", "sitecustomize"}
    assert {line.partition(" ")[0] for line in lines} == expected
    assert {line.partition(" ")[2] for line in lines} <= {"PermissionError", "FileNotFoundError"}


def own_environment(folder: Path) -> Path:
    """Make an environment as a plugin has one, with our SDK; returns its folder for packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for path in (entry for entry in sys.path if entry):
        if Path(path, "cellwall_sdk").is_dir() or Path(path, "msgspec").is_dir():
            (packages / f"{len(list(packages.iterdir()))}.pth").write_text(f"{path}\n")
    return packages


async def answer_of(session: Session) -> str:
    """Prompt a plugin and return the text of its answer."""
    found: list[str] = []
    async with session.open("model/prompt", prompt("go"), deadline=Deadline(total_s=PATIENCE_S)) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return "".join(found)


SHELL = """#!/bin/sh
while read -r line; do
    id=${line#*\\"id\\":\\"}
    id=${id%%\\"*}
    case $line in
    *\\"initialize\\"*)
        result='"protocol":1,"plugin":{"name":"foreign"}' ;;
    *)
        secret=nothing
        { read -r secret < "SECRET"; } 2>/dev/null
        printf '{"jsonrpc":"2.0","method":"$/data","params":{"id":"%s","seq":0,"items":[' "$id"
        printf '{"t":"delta","part":0,"text":"found %s"}]}}\\n' "$secret"
        result='"finish":"stop","items":1' ;;
    esac
    printf '{"jsonrpc":"2.0","id":"%s","result":{%s}}\\n' "$id" "$result"
done
"""

PYTHON = (
    READS
    + """
import json

for line in sys.stdin:
    message = json.loads(line)
    result = {"protocol": 1, "plugin": {"name": "foreign"}}
    if message["method"] == "model/prompt":
        items = [{"t": "delta", "part": 0, "text": "found " + seen("SECRET")}]
        data = {"id": message["id"], "seq": 0, "items": items}
        print(json.dumps({"jsonrpc": "2.0", "method": "$/data", "params": data}), flush=True)
        result = {"finish": "stop", "items": 1}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""
)

NODE = """
const fs = require("fs");
const lines = require("readline").createInterface({ input: process.stdin });
const seen = (path) => { try { return fs.readFileSync(path, "utf8"); } catch (error) { return error.code; } };
lines.on("line", (line) => {
  const { id, method } = JSON.parse(line);
  const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");
  if (method !== "model/prompt") return say({ id, result: { protocol: 1, plugin: { name: "foreign" } } });
  const items = [{ t: "delta", part: 0, text: "found " + seen("SECRET") }];
  say({ method: "$/data", params: { id, seq: 0, items } });
  say({ id, result: { finish: "stop", items: 1 } });
});
"""


def install_foreign(site: Path, command: list[str], source: str) -> PluginRecord:
    """Install a plugin that is a program of its own; its last word is the file that holds the source."""
    file = f"foreign/{command[-1]}"
    files = {"foreign/plugin.toml": f"command = {json.dumps(command)}\n", file: source}
    install(site, "llm-foreign", files, points={"foreign": "foreign"})
    (site / file).chmod(0o755)
    return record_named("foreign", site)


class Foreign(NamedTuple):
    """A plugin that is a program of its own, and what it says of a file that it cannot read."""

    command: list[str]
    source: str
    refused: set[str]


@pytest.mark.parametrize(
    "foreign",
    [
        Foreign(["plugin.sh"], SHELL, {"nothing", ""}),
        Foreign(["sh", "plugin.sh"], SHELL, {"nothing", ""}),
        Foreign(["python3", "plugin.py"], PYTHON, {"PermissionError", "FileNotFoundError"}),
        Foreign(["node", "plugin.js"], NODE, {"EACCES", "ENOENT"}),
    ],
    ids=["a script", "a shell", "another python", "node"],
)
def test_a_plugin_in_another_language_runs_behind_the_wall(
    foreign: Foreign, mechanisms: Mechanisms, site: Path, paths: Paths, secret: Path
) -> None:
    """The cell walls itself in and then becomes the program (sandbox.md §5), which needs its pipes only."""
    if len(foreign.command) > 1 and shutil.which(foreign.command[0]) is None:
        pytest.skip(f"there is no {foreign.command[0]} here")
    record = install_foreign(site, foreign.command, foreign.source.replace("SECRET", str(secret)))

    answer = start(record, paths, planned(record, paths, mechanisms), answer_of)
    assert answer.removeprefix("found ").strip() in foreign.refused

    grant(paths, record, f"read={secret}")
    assert start(record, paths, planned(record, paths, mechanisms), answer_of).strip() == "found sesame"


def test_a_program_that_cannot_be_executed_is_told_in_a_sentence(
    mechanisms: Mechanisms, site: Path, paths: Paths
) -> None:
    """[P-5] A script whose first line names nothing ends with code 97 and says so."""
    record = install_foreign(site, ["plugin.sh"], "#!/nowhere/at/all\n")

    with pytest.raises(PluginBroken, match=r"'foreign' cannot run: .*plugin\.sh cannot be executed: No such"):
        start(record, paths, planned(record, paths, mechanisms))


def test_a_program_that_is_not_installed_is_named(site: Path, paths: Paths) -> None:
    """Before anything is started (kernel policy)."""
    record = install_foreign(site, ["no-such-program", "plugin.js"], "")

    with pytest.raises(PluginBroken, match="needs the program 'no-such-program', which is not installed"):
        spawn_plugin(record, paths, assets={})


def test_a_program_that_closes_its_output_and_lives_is_noticed(
    mechanisms: Mechanisms, site: Path, paths: Paths
) -> None:
    """A child that nobody can talk to is no use alive (anchor 33), whatever stands around it."""
    source = "#!/bin/sh\nread -r line\nexec >&-\nwhile :; do :; done\n"
    record = install_foreign(site, ["plugin.sh"], source)

    with pytest.raises(PluginMisbehaved, match="closed its output but went on running"):
        start(record, paths, planned(record, paths, mechanisms))


TIDIES_UP = """#!/bin/sh
trap 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo politely > end; exit 0' TERM
read -r line
id=${line#*\\"id\\":\\"}
id=${id%%\\"*}
printf '{"jsonrpc":"2.0","id":"%s","result":{"protocol":1,"plugin":{"name":"foreign"}}}\\n' "$id"
while :; do :; done
"""


def test_a_program_that_does_not_leave_hears_the_polite_signal_first(
    mechanisms: Mechanisms, site: Path, paths: Paths
) -> None:
    """[P-6] SIGTERM is for the plugin, whatever stands around it; only then is anybody killed."""
    record = install_foreign(site, ["plugin.sh"], TIDIES_UP)

    start(record, paths, planned(record, paths, mechanisms))

    assert (paths.plugin_data("foreign") / "end").read_text("utf-8") == "politely\n"
