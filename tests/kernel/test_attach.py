"""Attach mode inside the kernel: which words mean which plugin, no deadline, nothing left open."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel import attaching
from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.errors import PluginHungUp, UsageProblem
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import DescribeParams
from tests.support.author import Author

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

SLOW = """
    import os, time
    time.sleep(0.3)
    from cellwall_sdk import Model, hookimpl

    class Slow(Model):
        model_id = "slow"

        def execute(self, prompt, response):
            yield "late"

    @hookimpl
    def register_models(register):
        time.sleep(0.3)
        if os.path.exists("die"):
            os._exit(1)
        register(Slow())
"""

RECORD = PluginRecord(name="slow", dist="", version="", target="", location="", python="", key="")


@pytest.fixture
def author(tmp_path: Path) -> Generator[Author]:
    """An author whose plugin takes its time for everything; this process is attached to it."""
    with tempfile.TemporaryDirectory(prefix="cw-") as runtime, Author(tmp_path, Path(runtime)) as author:
        author.write("slow", SLOW)
        said: list[str] = []
        attaching.begin(f"slow={author.socket('slow')}", said.append)
        yield author
        attaching.end()
        assert len(said) == 1


def descriptors() -> set[str]:
    """Return what this process has open, as far as the system tells."""
    links = [each for each in Path("/dev/fd").iterdir() if each.is_symlink()]
    return {str(each.readlink()) for each in links if each.is_symlink()}


async def test_neither_the_start_nor_a_call_has_a_deadline_and_a_connection_leaves_nothing_open(
    author: Author, paths: Paths
) -> None:
    """Issue 3, anchor 43: initialize, describe and a prompt take as long as they take."""
    running = author.attachable()
    before = descriptors()

    async with Supervisor(paths) as supervisor:
        session = await supervisor.start(RECORD, timeout_s=0.001)
        described = await session.request("plugin/describe", DescribeParams(), timeout_s=0.001)

    assert ["slow"] == [model.id for model in described.models]
    assert descriptors() == before
    assert running.poll() is None


async def test_whoever_waits_for_one_that_hangs_up_learns_it_at_once(author: Author, paths: Paths) -> None:
    """Issue 3, anchor 43: an end of the connection is an end, whoever ended it."""
    author.attachable()
    (author.project / "die").touch()

    async with Supervisor(paths) as supervisor:
        session = await supervisor.start(RECORD)
        with pytest.raises(PluginHungUp):
            await session.request("plugin/describe", DescribeParams(), timeout_s=30)


async def test_hanging_up_ends_a_call_that_nobody_answers(author: Author, paths: Paths) -> None:
    """Issue 3, anchor 43: what a second Ctrl-C does; the plugin goes on running."""
    running = author.attachable()

    async with Supervisor(paths) as supervisor:
        session = await supervisor.start(RECORD)
        async with session.open("plugin/describe", DescribeParams(), deadline=Deadline()) as call:
            supervisor.kill_now()
            with anyio.fail_after(20), pytest.raises(PluginHungUp):
                await call.finish()

    assert running.poll() is None


@pytest.mark.parametrize(
    ("text", "plugin", "socket"),
    [
        ("weather", "weather", None),
        ("/a/weather.sock", "weather", "/a/weather.sock"),
        ("/a/weather", "weather", "/a/weather"),
        ("weather=/a/b=c", "weather", "/a/b=c"),
        ("/a/k=v/weather.sock", "weather", "/a/k=v/weather.sock"),
        ("x@y=s.sock", "x@y", f"{Path.cwd()}/s.sock"),
    ],
)
def test_a_plugin_is_named_by_its_name_its_socket_or_both(
    text: str, plugin: str, socket: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Issue 3, anchor 43: kernel policy."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    attachment = attaching.begin(text, lambda _: None)

    assert (plugin, socket or f"{tmp_path}/cellwall/{plugin}.sock") == (attachment.plugin, attachment.socket)
    assert attaching.attachment_of(plugin) is attachment
    assert attaching.attachment_of("another") is None
    assert "was not attached to" in (attaching.end() or "")
    assert attaching.current() is None


@pytest.mark.parametrize("text", ["", " ", "weather=", "/", "a b=/c", "../=x"])
def test_other_words_are_refused(text: str) -> None:
    """Issue 3, anchor 43: kernel policy."""
    with pytest.raises(UsageProblem):
        attaching.begin(text, lambda _: None)
