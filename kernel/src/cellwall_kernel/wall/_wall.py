"""The wall of one cell: planned without effects, then raised: descriptors for the child, words for its host.

    WallPlan     what shall stand: a policy, and what this machine can enforce
    raise_wall   makes ruleset, filter and channels just before the child is started
    Wall         what is handed to the child, and what the host keeps

What the child does with it is in `cellwall_kernel.cell.wall`.
"""

from __future__ import annotations

import _socket  # `socket` would cost the start of a child some milliseconds
import marshal
import os
from typing import TYPE_CHECKING, Self

import msgspec

from cellwall_kernel.cell.system import LINUX
from cellwall_kernel.errors import CellwallError
from cellwall_kernel.wall._bubblewrap import PRIVATE_FOLDERS, wrapping_arguments
from cellwall_kernel.wall._endpoint import open_listener, port_of, proxy_variables
from cellwall_kernel.wall._landlock import READ, WRITE, handled_files, make_ruleset
from cellwall_kernel.wall._limits import resource_limits
from cellwall_kernel.wall._mechanisms import SYS_SECCOMP, Mechanisms
from cellwall_kernel.wall._policy import Policy
from cellwall_kernel.wall._seccomp import FilterPolicy, build_filter

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["UNREMARKABLE", "Wall", "WallPlan", "raise_wall"]

NAMESPACE_PORT = 3128
"""Where the proxy listens inside a cell's own network, in which nobody else is."""

UNREMARKABLE = ("/proc/", "/sys/", "/dev/")
"""Where libraries look around as a habit; that it is refused surprises nobody."""

MARSHAL_VERSION = 2
"""A form that every Python reads: the cell's interpreter may be another one than ours."""

CELL_CODE = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))),)  # noqa: PTH100, PTH120
"""What a cell begins with: this package, of which only `bootstrap` and `cell` are loaded."""


_REPORT_SOCKET = _socket.SOCK_SEQPACKET if LINUX else _socket.SOCK_DGRAM
"""What keeps messages apart; macOS has no such thing that also keeps a connection."""


class WallPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What shall stand around a cell.

    Args:
        policy: what it may do.
        mechanisms: what this machine can enforce.
        is_attended: whether the host attends to the cell: hears what its plugin tries in vain, and gives it a
            socket to listen on that nobody can reach.
    """

    policy: Policy
    mechanisms: Mechanisms
    is_attended: bool = True

    @property
    def has_namespaces(self) -> bool:
        """Whether bubblewrap stands around it: then process ids, network and private folders are its own."""
        return self.mechanisms.bubblewrap is not None


class Wall:
    """A wall that is ready for its child; a context manager that closes what the child has got by then.

    Attributes:
        arguments: stands behind the child's argument list; `around` gives the whole of it.
        descriptors: what the child inherits.
        variables: more variables for its environment.
        report: the host's end of the channel on which the child says that its wall stands, a descriptor.
        listener: where the host's proxy accepts, if it listens in the host's network; likewise. Both are
            closed by who attends to them, or by `abandon`.
        port: where the plugin finds the proxy; 0 without one.
        plan: what was planned.
    """

    def __init__(self, plan: WallPlan) -> None:
        self.plan = plan
        self.listener: int | None = None
        self.port = 0
        self._child_ends: list[int] = []
        host, child = _socket.socketpair(_socket.AF_UNIX, _REPORT_SOCKET)
        host.setblocking(False)
        self.report = host.detach()
        self._child_ends.append(child.detach())
        try:
            self._raise()
        except BaseException:
            self.abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_child_ends()
        if error is not None:
            self.abandon()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the child inherits, under the same numbers."""
        return tuple(self._child_ends)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What tells the child about its wall."""
        return (f"wall={self._plan_fd}", f"report={self._child_ends[0]}")

    def around(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the argument list of the child: what wraps it, itself, what tells it about its wall."""
        return (*self._prefix(argv[0]), *argv, *self.arguments)

    def _prefix(self, interpreter: str) -> tuple[str, ...]:
        policy, mechanisms = self.plan.policy, self.plan.mechanisms
        if mechanisms.bubblewrap is not None:
            return wrapping_arguments(
                mechanisms.bubblewrap, policy, bounds=mechanisms.bounds_folders, code=CELL_CODE
            )
        if mechanisms.seatbelt is not None:
            from cellwall_kernel.wall import _seatbelt  # on a Mac only

            return _seatbelt.wrapping_arguments(
                mechanisms.seatbelt, policy, interpreter=interpreter, code=CELL_CODE, port=self.port or None
            )
        return ()

    @property
    def variables(self) -> dict[str, str]:
        """The variables that lead HTTP clients to the proxy."""
        return proxy_variables(self.port) if self.port else {}

    def abandon(self) -> None:
        """Close everything: the child was not started."""
        self._close_child_ends()
        for fd in filter(None, (self.report, self.listener)):
            os.close(fd)
        self.report, self.listener = 0, None

    def _raise(self) -> None:
        policy, mechanisms = self.plan.policy, self.plan.mechanisms
        asks = policy.network == "hosts" and not self.plan.has_namespaces
        if asks:
            self.listener = open_listener()
            self.port = port_of(self.listener)
        elif policy.network == "hosts":
            self.port = NAMESPACE_PORT
        ruleset = -1
        if mechanisms.landlock:
            ruleset = make_ruleset(policy, mechanisms.landlock, port=self.port or None)
            self._child_ends.append(ruleset)
        plan = {
            "limits": resource_limits(policy, counts_own_namespace=self.plan.has_namespaces),
            "listen": NAMESPACE_PORT if self.port and not asks else 0,
            "drops_capabilities": LINUX,
            "ruleset": ruleset,
            "late_rules": self._late_rules(),
            "program": policy.program,
            "hints": self._unremarkable() if self.plan.is_attended and not policy.program else (),
            **self._filter(asks=asks),
        }
        self._plan_fd = self._written(marshal.dumps(plan, MARSHAL_VERSION))

    def _late_rules(self) -> list[tuple[str, int]]:
        """Rules for what exists only in the child: its part of /proc, the private folders of a namespace."""
        if not self.plan.mechanisms.landlock:
            return []
        handled = handled_files(self.plan.mechanisms.landlock)
        if not self.plan.has_namespaces:
            return [("/proc/self", READ & handled)]
        return [("/proc", READ & handled), *((folder, WRITE & handled) for folder in PRIVATE_FOLDERS)]

    def _unremarkable(self) -> tuple[str, ...]:
        """Beginnings of paths whose use the cell need not tell: what it may do anyway."""
        policy = self.plan.policy
        return (
            *policy.write,
            *policy.read,
            *UNREMARKABLE,
            *(PRIVATE_FOLDERS if self.plan.has_namespaces else ()),
        )

    def _filter(self, *, asks: bool) -> dict[str, object]:
        policy, arch = self.plan.policy, self.plan.mechanisms.seccomp
        if arch is None:
            return {"filter": b"", "pid_slots": (), "sys_seccomp": 0, "asks": ""}
        is_hosted = policy.network == "none" and self.plan.is_attended and self.plan.mechanisms.notifies
        made = build_filter(
            FilterPolicy(
                network=policy.network,
                spawn=policy.spawn,
                execs=bool(policy.program),
                brokered=asks,
                soft_metadata=not self.plan.has_namespaces,
                unix=bool(policy.sockets),
                hosted_bind=is_hosted,
            ),
            arch,
        )
        return {
            "filter": made.program,
            "pid_slots": made.pid_slots,
            "sys_seccomp": SYS_SECCOMP[arch],
            "asks": "connect" if asks else "bind" if is_hosted else "",
        }

    def _written(self, content: bytes) -> int:
        """Put the plan into a pipe, which holds it as a whole; returns the end that is read."""
        reading, writing = os.pipe()
        self._child_ends.append(reading)
        os.set_blocking(writing, False)
        try:
            written = os.write(writing, content)
        finally:
            os.close(writing)
        if written != len(content):
            raise CellwallError("the plan of a wall does not fit into a pipe.")
        return reading

    def _close_child_ends(self) -> None:
        while self._child_ends:
            os.close(self._child_ends.pop())


def raise_wall(plan: WallPlan) -> Wall:
    """Make everything that the child needs in order to wall itself in.

    Args:
        plan: what shall stand.

    Raises:
        CellwallError: the system does not make it; then there is nothing to close.
    """
    return Wall(plan)
