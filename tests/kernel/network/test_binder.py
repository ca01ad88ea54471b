"""A plugin without a network listens, on a socket that nobody can reach: real cells, real sockets."""

from __future__ import annotations

import ast
import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta
from tests.children.kit import PATIENCE_S, install_from_zoo, prompt

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import Session

pytestmark = pytest.mark.anyio

BIND = """(lambda s: (s.bind({name!r}), s.listen(), s.getsockname(), kept.append(s)))(
    __import__('socket').socket(1, 1))[2]""".replace(
    "kept", "__import__('sys').__dict__.setdefault('kept', [])"
)


async def value_of(session: Session, expression: str) -> Any:
    """Evaluate an expression inside the plugin."""
    found: list[str] = []
    deadline = Deadline(total_s=PATIENCE_S)
    async with session.open("model/prompt", prompt(" ".join(expression.split())), deadline=deadline) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return ast.literal_eval("".join(found))


def open_descriptors() -> int:
    """Count the descriptors of this process."""
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.parametrize("name", ["own.sock", "\0cellwall-abstract"], ids=["path", "abstract"])
async def test_a_plugin_may_listen_and_nobody_can_reach_it(
    site: Path, paths: Paths, both_walls: str, name: str
) -> None:
    """docs/security.md: libraries that insist on a server start, and open no way in."""
    record = install_from_zoo(site, "tells")
    with anyio.fail_after(PATIENCE_S):
        async with Supervisor(paths) as supervisor:
            session = await supervisor.start(record)
            bound = await value_of(session, BIND.format(name=name))

            assert bound not in {name, name.encode()}
            assert [] == [*paths.plugin_tmp("tells").iterdir(), *paths.plugin_data("tells").iterdir()]
            assert not (paths.plugin_data("tells") / name.lstrip("\0")).exists()
            with socket.socket(socket.AF_UNIX) as stranger, pytest.raises(ConnectionRefusedError):
                stranger.connect("\0" + name.lstrip("\0"))


async def test_a_plugin_is_given_a_bounded_number_of_sockets(
    site: Path, paths: Paths, both_walls: str
) -> None:
    """Kernel policy: descriptors of the host are not for the taking, and none of them is left."""
    record = install_from_zoo(site, "tells")
    count = "[__import__('socket').socket(1, 1).bind('x') for _ in range(70)]"
    with anyio.fail_after(PATIENCE_S):
        async with Supervisor(paths) as supervisor:
            session = await supervisor.start(record)
            before = open_descriptors()
            with pytest.raises(Exception, match=os.strerror(errno.EPERM)):
                await value_of(session, count)

            assert before == open_descriptors()


async def test_what_a_plugin_listens_on_it_cannot_connect_to(
    site: Path, paths: Paths, both_walls: str
) -> None:
    """sandbox.md §5: no socket of any kind is connected without a grant."""
    record = install_from_zoo(site, "tells")
    connect = "__import__('socket').socket(1, 1).connect_ex('/run/anything.sock')"
    with anyio.fail_after(PATIENCE_S):
        async with Supervisor(paths) as supervisor:
            session = await supervisor.start(record)

            assert await value_of(session, connect) == errno.EPERM
