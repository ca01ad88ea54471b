"""What a plugin was granted, as the proxy asks about it, and what was refused, told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.network._addresses import objection
from cellwall_kernel.permissions import HostPattern, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LOOPBACK", "Refusals", "Refused", "Rules"]

LOOPBACK = ("127.0.0.1", "::1")
"""What `localhost` means, whatever a hosts file or a name server says."""

MAX_TOLD = 256
"""How many different refusals are told to the user; a plugin that tries more is not worth more memory."""


class Refused(Exception):
    """Raised when the rules forbid what a client asks for.

    Args:
        host: what it wanted to reach.
        port: its port.
        refusal: the same for the user.
    """

    def __init__(self, host: str, port: int, refusal: Refusal) -> None:
        super().__init__(refusal.tried)
        self.host = host
        self.port = port
        self.refusal = refusal


class Refusals:
    """Tells of each refusal once.

    Args:
        tell: is called with it.
    """

    def __init__(self, tell: Callable[[Refusal], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, int]] = set()

    def add(self, host: str, port: int, refusal: Refusal) -> None:
        """Tell of a refusal, unless one for the same host and port was told."""
        if (host, port) not in self._told and len(self._told) < MAX_TOLD:
            self._told.add((host, port))
            self._tell(refusal)


class Rules:
    """The hosts that were granted.

    Args:
        granted: the hosts; each stands for itself.
    """

    def __init__(self, granted: Sequence[HostPattern]) -> None:
        self._granted = tuple(granted)

    def check(self, host: HostPattern) -> None:
        """Find out whether a host is granted by its name or, if it is an address, as that address.

        Raises:
            Refused: it is not.
        """
        if not self._includes(host.host, host.port) and not self._is_this_machine(host.host, host.port):
            refusal = Refusal(tried=f"reach {host.authority}", grant=f"network={host.text}")
            raise Refused(host.host, host.port, refusal)

    def admitted(self, host: HostPattern, addresses: Sequence[str]) -> list[str]:
        """Return the addresses of a granted name that may be reached.

        A special address may be reached if it is granted itself: then nothing is gained by way of a name.

        Args:
            host: a name.
            addresses: where it leads; not empty.

        Raises:
            Refused: none of them may be.
        """
        objections = {
            address: "" if self._has_address(address, host.port) else objection(address)
            for address in addresses
        }
        admitted = [address for address in addresses if not objections[address]]
        if not admitted:
            address, words = next(iter(objections.items()))
            reason = f"the name leads to {address}, {words}"
            refusal = Refusal(
                tried=f"reach {host.authority}", grant=_grant(address, host.port), reason=reason
            )
            raise Refused(host.host, host.port, refusal)
        return admitted

    def _has_address(self, address: str, port: int) -> bool:
        return self._is_this_machine(address, port) or any(
            pattern.is_address and pattern.matches(address, port) for pattern in self._granted
        )

    def _includes(self, host: str, port: int) -> bool:
        return any(pattern.matches(host, port) for pattern in self._granted)

    def _is_this_machine(self, host: str, port: int) -> bool:
        """Whether it is an address that a grant of `localhost` leads to anyway."""
        return host in LOOPBACK and self._includes("localhost", port)


def _grant(address: str, port: int) -> str | None:
    """Return the grant for an address; None if no grant can name it."""
    written = f"[{address}]" if ":" in address else address
    try:
        return f"network={HostPattern.parse(f'{written}:{port}').text}"
    except ValueError:
        return None
