"""What a set of permissions adds up to: the lines that a person must see before they agree.

None of this is a boundary. It is knowledge about how systems start programs, so that "may write ~/.bashrc" is
not mistaken for a small thing.
"""

# ruff: noqa: PTH112, PTH118 - places are texts

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from cellwall_kernel.permissions._kinds import ANY
from cellwall_kernel.permissions._places import expanded, holds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwall_kernel.permissions._spec import Permissions

__all__ = ["Caution", "cautions_about"]

SHELL_FILES = """
    .bash_aliases .bash_login .bash_logout .bash_profile .bashrc .config/fish .config/nushell
    .config/powershell .config/zsh .cshrc .kshrc .login .pam_environment .profile .tcshrc .xinitrc .xonshrc
    .xprofile .xsession .xsessionrc .zlogin .zlogout .zprofile .zshenv .zshrc
"""
"""Below the home folder."""

STARTERS: dict[str, tuple[str, ...]] = {
    "a shell start file": (
        *(f"~/{name}" for name in SHELL_FILES.split()),
        *("/etc/bash.bashrc", "/etc/environment", "/etc/fish", "/etc/profile", "/etc/profile.d", "/etc/zsh"),
    ),
    "an autostart folder": (
        "~/.config/autostart",
        "~/.config/environment.d",
        "~/.config/systemd/user",
        "~/.local/share/applications",
        "~/.local/share/systemd/user",
        "~/Library/LaunchAgents",
        "/etc/cron.d",
        "/etc/init.d",
        "/etc/systemd",
        "/etc/xdg/autostart",
        "/var/spool/cron",
    ),
    "the settings of git": ("~/.config/git", "~/.gitconfig"),
    "the settings of ssh": ("~/.ssh",),
    "the settings of an editor": (
        "~/.config/emacs",
        "~/.config/nvim",
        "~/.emacs",
        "~/.emacs.d",
        "~/.vim",
        "~/.vimrc",
    ),
    "Python's own packages": ("~/.local/lib", sys.prefix),
}
"""Who can write there has a program started without the sandbox, at the next login or command."""

USUAL_PROGRAM_FOLDERS = ("~/.local/bin", "~/bin", "/usr/local/bin")

FULL_ACCESS_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock")


SERVICES = {
    "prompt": "Could run prompts on any of your models, at your expense.",
    "ask": "Could ask you for secrets, as any web page could: look at the name in front of a question.",
}


class Caution(NamedTuple):
    """A line for the person who decides.

    Args:
        text: one sentence.
        is_severe: whether the rest of the wall is as good as gone.
    """

    text: str
    is_severe: bool = False


def cautions_about(permissions: Permissions, environ: Mapping[str, str] | None = None) -> list[Caution]:
    """Return what a person should be told beside the list itself, the worst first.

    Args:
        permissions: what would be allowed.
        environ: where `~`, PATH and variables are looked up; by default this process's environment.
    """
    found = [*_as_good_as_unsandboxed(permissions, environ), *_outside(permissions, environ)]
    if "ssh-agent" in permissions.sockets:
        found.append(Caution("With the socket ssh-agent it can log in wherever your SSH keys can."))
    if permissions.network == ANY:
        found.append(Caution("Could send anything it can read to any host."))
    elif isinstance(permissions.network, tuple) and permissions.network:
        found.append(Caution(f"Could send anything it can read to {_listed(permissions.network)}."))
    found += (Caution(text) for service, text in SERVICES.items() if service in permissions.host)
    return found


def _as_good_as_unsandboxed(permissions: Permissions, environ: Mapping[str, str] | None) -> Iterator[Caution]:
    reasons: list[str] = []
    docker = [socket for socket in permissions.sockets if socket in {"docker", *FULL_ACCESS_SOCKETS}]
    if docker:
        reasons.append(f"the socket {docker[0]} starts anything")
    reads = [place for place in (*permissions.read, *permissions.write) if holds(place, "~", environ)]
    if permissions.network == ANY and reads:
        reasons.append(f"it reads {reads[0]} and reaches any host")
    programs = _written_program_folder(permissions, environ)
    if permissions.spawn and programs is not None:
        reasons.append(f"it starts programs and changes those in {programs}")
    if reasons:
        yield Caution(f"As good as unsandboxed: {'; '.join(reasons)}.", is_severe=True)


def _outside(permissions: Permissions, environ: Mapping[str, str] | None) -> Iterator[Caution]:
    for place in permissions.write:
        what = _starter(place, environ)
        if what is not None:
            yield Caution(f"By writing {place} it can run code outside the sandbox ({what}).")


def _starter(place: str, environ: Mapping[str, str] | None) -> str | None:
    """Say what in a place makes programs start; None if nothing known does."""
    for what, known in STARTERS.items():
        if any(_meets(place, starter, environ) for starter in known):
            return what
    if _meets_any(place, _program_folders(environ), environ):
        return "a folder of programs"
    path = expanded(place, environ)
    if path is None:
        return "nobody knows where it leads, since its variable is not set"
    if ".git" in path.split("/") or os.path.isdir(os.path.join(path, ".git")):
        return "hooks of git"
    return "in a checkout of git its hooks" if path == "." else None


def _written_program_folder(permissions: Permissions, environ: Mapping[str, str] | None) -> str | None:
    folders = _program_folders(environ)
    return next((place for place in permissions.write if _meets_any(place, folders, environ)), None)


def _program_folders(environ: Mapping[str, str] | None) -> list[str]:
    path = (os.environ if environ is None else environ).get("PATH", "")
    return [*USUAL_PROGRAM_FOLDERS, *(folder for folder in path.split(":") if folder.startswith("/"))]


def _meets_any(place: str, folders: list[str], environ: Mapping[str, str] | None) -> bool:
    return any(_meets(place, folder, environ) for folder in folders)


def _meets(place: str, other: str, environ: Mapping[str, str] | None) -> bool:
    """Whether one of two places holds the other."""
    return holds(place, other, environ) or holds(other, place, environ)


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
