"""What an earlier run may have left in its folder to be run at the next start, before the wall stands.

These do nothing themselves: `poison` says what lies in the data folder at the start. Each file of it copies
the victim's secret into the data folder, as far as it is let; the harness looks there.
"""

from __future__ import annotations

import sys

from ._registry import attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._registry import Scene

__all__ = ["POISON", "poison"]

USER_SITE = f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"

POISON: dict[str, str] = {
    "poisoned_ctypes": "ctypes.py",
    "poisoned_json": "json.py",
    "poisoned_site_customize": "sitecustomize.py",
    "poisoned_user_customize": f"{USER_SITE}/usercustomize.py",
    "poisoned_path_file": f"{USER_SITE}/evil.pth",
    "poisoned_sdk": "cellwall_sdk/__init__.py",
}
"""The name of an attempt and where its file lies in the data folder."""


def poison(name: str, secret: str, loot: str) -> str:
    """Write the poison that steals `secret` into the file `loot`.

    What stands in for a module of the library fails afterwards: the start need not succeed for the harm to be
    done.
    """
    steal = f"import os; open({loot!r}, 'ab').write(open({secret!r}, 'rb').read())\n"
    return steal if name.endswith("path_file") else f"{steal}raise SystemExit(0)\n"


def nothing(scene: Scene) -> None:
    """Load what plugins load; what counts happens in the meantime, or has happened before."""
    import ctypes
    import json

    assert ctypes.__name__ != json.__name__


def register_all() -> None:
    """Make an attempt of each."""
    for name in POISON:
        register: Callable[[Callable[[Scene], object]], object] = attempt(
            name, kind="startup", is_poison=True
        )
        register(nothing)


register_all()
