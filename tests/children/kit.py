"""What the tests of misbehaving plugins stand on: laid-out installations, and proofs of death.

Nothing is pretended: the metadata are files as an installer writes them, the plugins are programs that run,
and whether a process lives is told by the kernel: a lifeline is a named pipe that ends when the last process
that holds it has ended.
"""

from __future__ import annotations

import base64
import hashlib
import os
import select
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.discovery import Environment, PluginRecord, discover
from cellwall_kernel.grants import accept
from cellwall_kernel.launch import Launch
from cellwall_kernel.permissions import parse_item, permissions_of
from cellwall_wire import Message, PromptParams, TextPart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.paths import Paths

HERE = Path(__file__).parent

PATIENCE_S = 20.0
"""How long a test waits for one thing before it fails; long, because machines are busy."""

DEATH_S = 2.0
"""How long after the host's death a plugin and all it started may live (seconds): the keeper's promise."""


def install(
    site: Path,
    dist: str,
    files: Mapping[str, str],
    *,
    points: Mapping[str, str],
    version: str = "1.0",
) -> Path:
    """Lay out a distribution as a wheel's installation does; an older version of it is removed first.

    Args:
        site: the folder for packages.
        dist: the distribution's name.
        files: path in the site folder -> text.
        points: entry points of the group `llm`: name -> value.
        version: of the distribution.

    Returns:
        its `.dist-info`.
    """
    uninstall(site, dist)
    lines = [_put(site, name, text) for name, text in files.items()]
    info = f"{dist.replace('-', '_')}-{version}.dist-info"
    table = "".join(f"{name} = {value}\n" for name, value in points.items())
    lines.append(_put(site, f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n"))
    lines.append(_put(site, f"{info}/entry_points.txt", f"[llm]\n{table}"))
    _put(site, f"{info}/RECORD", "".join([*lines, f"{info}/RECORD,,\n"]))
    return site / info


def uninstall(site: Path, dist: str) -> None:
    """Remove a distribution and its files, as an installer does."""
    for info in site.glob(f"{dist.replace('-', '_')}-*.dist-info"):
        for line in (info / "RECORD").read_text("utf-8").splitlines():
            (site / line.partition(",")[0]).unlink(missing_ok=True)
        info.rmdir()


def install_editable(site: Path, dist: str, project: Path, point: str, value: str) -> None:
    """Lay out an editable installation with a static `.pth` file, as hatchling and others do."""
    files = {f"_{dist.replace('-', '_')}.pth": f"{project / 'src'}\n"}
    info = install(site, dist, files, points={point: value})
    (info / "direct_url.json").write_text(
        f'{{"dir_info": {{"editable": true}}, "url": "{project.as_uri()}"}}'
    )


def environment_of(*sites: Path) -> Environment:
    """Describe an environment in which only the packages in `sites` are installed."""
    here = Environment.current()
    return Environment(
        python=here.python,
        prefix=str(sites[0]),
        tag=here.tag,
        folders=tuple(("path", str(site)) for site in sites),
        code=tuple(folder for _, folder in here.folders),  # where the SDK is
    )


def plugin_source(name: str) -> str:
    """Return the source of a plugin of the zoo."""
    return (HERE / "plugins" / f"{name}.py").read_text("utf-8")


def install_from_zoo(site: Path, name: str, **settings: str) -> PluginRecord:
    """Install a plugin of the zoo under its own name and return its record.

    Args:
        site: where.
        name: the file in `plugins`.
        settings: become constants of the module, in capitals.
    """
    constants = "".join(f"{key.upper()} = {value!r}\n" for key, value in settings.items())
    source = plugin_source(name)
    if settings:
        head, _, rest = source.partition("# settings\n")
        source = head + constants + rest.partition("# end of settings\n")[2]
    install(site, f"zoo-{name}", {f"zoo_{name}.py": source}, points={name: f"zoo_{name}"})
    return next(record for record in discover(environment_of(site)) if record.name == name)


def grant(paths: Paths, record: PluginRecord, *items: str) -> None:
    """Grant a plugin what `llm plugins grant` would, in place of what it was granted before.

    Args:
        paths: the user folder.
        record: the plugin, as it is installed now.
        items: as on the command line, such as "spawn=any".
    """
    accept(paths, record, permissions_of(parse_item(item) for item in items))


def install_obedient(site: Path, paths: Paths, line: Lifeline, *items: str) -> PluginRecord:
    """Install the plugin that does what it is told and holds a lifeline, which it is granted.

    Args:
        site: where.
        paths: the user folder.
        line: its lifeline.
        items: what else it is granted, as for `grant`.
    """
    record = install_from_zoo(site, "obeys", lifeline=str(line.path))
    grant(paths, record, line.item, *items)
    return record


def program(name: str, cwd: Path) -> Launch:
    """Say how to start a program of the zoo that speaks the protocol by itself, without bootstrap and SDK."""
    path = HERE / "programs" / f"{name}.py"
    env = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    return Launch(plugin=name, argv=(sys.executable, "-u", str(path)), env=env, cwd=str(cwd))


def record_of(name: str) -> PluginRecord:
    """Return a record for a program that `program` starts."""
    return PluginRecord(
        name=name,
        dist=f"zoo-{name}",
        version="1.0",
        target=name,
        location="",
        python=sys.executable,
        key=name,
    )


def prompt(text: str, model: str = "zoo") -> PromptParams:
    """Return a prompt with one user message."""
    return PromptParams(model=model, messages=[Message(role="user", parts=[TextPart(text=text)])])


class Lifeline:
    """A named pipe that processes hold open for writing while they live; each writes its name first.

    Args:
        path: where the pipe is made.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._names: list[str] = []
        self._rest = ""

    @property
    def item(self) -> str:
        """What a plugin must be granted in order to hold the line."""
        return f"write={self.path}"

    def wait_for(self, *names: str) -> None:
        """Wait until processes of these names hold the line.

        Raises:
            AssertionError: they did not come in time.
        """
        end = time.monotonic() + PATIENCE_S
        while not set(names) <= set(self._names):
            assert self._wait(end), f"only {self._names} came"
            self._read()

    def wait_until_all_are_dead(self, bound_s: float) -> None:
        """Wait until nobody holds the line.

        Raises:
            AssertionError: somebody still does after `bound_s` seconds.
        """
        end = time.monotonic() + bound_s
        while self._wait(end):
            if not self._read():
                return
        raise AssertionError(f"one of {self._names} lives after {bound_s} s")

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._fd)

    def _wait(self, end: float) -> bool:
        return bool(self._poll.poll(max(0.0, end - time.monotonic()) * 1000))

    def _read(self) -> bool:
        try:
            chunk = os.read(self._fd, 4096)
        except BlockingIOError:
            return True
        *names, self._rest = (self._rest + chunk.decode()).split("\n")
        self._names += names
        return bool(chunk)


def _put(site: Path, name: str, text: str) -> str:
    path = site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode()
    path.write_bytes(content)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
