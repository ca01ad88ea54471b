"""A policy: what one cell may do, with every path real; made from what was granted, before anything starts.

The system's own part (the interpreter, libraries, time zones, certificates) is the same for every plugin.
What was granted is refused here, once more, where it would reach the host's own folders, another plugin's, or
code that runs outside the wall: a grant is checked when it is given *and* whenever it is used, because
folders move.
"""

# ruff: noqa: PTH111, PTH118, PTH120 - texts all along; every start of a cell comes through here

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal

import msgspec

from cellwall_kernel import permissions
from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.permissions import HostPattern, expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Limits, Permissions

__all__ = ["DEFAULT_LIMITS", "Policy", "Resources", "holds", "interpreter_folders", "policy_for"]

SYSTEM_FOLDERS = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
"""Programs and libraries; plugins load the latter."""

SYSTEM_FILES = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/timezone", "/etc/mime.types"),
    *("/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf"),
    *("/etc/passwd", "/etc/group", "/etc/services", "/etc/protocols"),
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/pki/tls", "/etc/pki/ca-trust"),
    *("/etc/ca-certificates", "/etc/crypto-policies", "/sys/devices/system/cpu", "/sys/devices/system/node"),
    "/etc/python{}.{}".format(*sys.version_info),  # Debian keeps a sitecustomize of its own there
    *("/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/sys/vm/overcommit_memory"),
)
"""What libraries read on their way: names, certificates, time zones, the number of processors."""

NEVER_GRANTED = ("/proc", "/sys", "/dev")
"""Windows into other processes and the kernel; devices are granted by their group."""

CERTIFICATE_VARIABLES = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"})
"""Variables that name public certificates: who may see one of them may read what it names."""

DEVICE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "gpu": ("/dev/nvidia", "/dev/dri", "/dev/kfd"),
}
"""Beginnings of the names of device nodes, by group."""

GPU_INFORMATION = ("/sys/class/drm", "/sys/bus/pci/devices", "/sys/devices/pci0000:00", "/proc/driver/nvidia")

Network = Literal["none", "hosts", "any"]


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the machine a cell may use; the numbers of `Limits` with nothing left open.

    Args:
        memory_bytes: private memory of each process.
        processes: processes and threads.
        file_size_bytes: the largest file.
        data_bytes: all files in its own folders.
        cpu_s: seconds of processor time of each process; 0 for no limit.
        files: open files of each process.
    """

    memory_bytes: int
    processes: int
    file_size_bytes: int
    data_bytes: int
    cpu_s: int
    files: int = 256

    @classmethod
    def of(cls, limits: Limits) -> Resources:
        """Fill what was left open with the defaults."""
        default, given = msgspec.structs.asdict(permissions.DEFAULT_LIMITS), msgspec.structs.asdict(limits)
        chosen = {name: default[name] if value is None else value for name, value in given.items()}
        return cls(**{name: value for name, value in chosen.items() if name in cls.__struct_fields__})


DEFAULT_LIMITS = Resources.of(permissions.Limits())


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What one cell may do. All paths are absolute.

    Args:
        cwd: its working folder.
        own: the folders that are its own: data and temporary files; also in `write`.
        closed: the user folder, of which nothing else can be granted.
        read: files and folders that it may read.
        write: folders and files that it may change.
        execute: files and folders whose programs it may execute.
        devices: device nodes that it may use.
        sockets: Unix sockets that it may connect to.
        network: "none", "hosts" (those listed, through the host's proxy) or "any".
        hosts: the listed ones.
        spawn: whether it may start programs.
        program: the program that takes the place of the interpreter, with its arguments; empty for Python.
        variables: granted variables of the environment.
        resources: how much of the machine it may use.
        extra_address_bytes: how much address space its data files may take beyond its memory.
    """

    cwd: str
    own: tuple[str, ...] = ()
    closed: str = ""
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    network: Network = "none"
    hosts: tuple[HostPattern, ...] = ()
    spawn: bool = False
    program: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    resources: Resources = DEFAULT_LIMITS
    extra_address_bytes: int = 0


def policy_for(
    record: PluginRecord,
    granted: Permissions,
    paths: Paths,
    *,
    files: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    caller_folder: str | None = None,
) -> Policy:
    """Work out what a plugin's cell may do.

    Args:
        record: the plugin.
        granted: what its user accepted.
        paths: the user folder.
        files: data files that the host hands over, to be read.
        environ: the caller's variables, to take granted ones from; by default this process's.
        caller_folder: what "." means; by default the working folder.

    Raises:
        PluginBroken: a grant or the installation reaches what no plugin may see.
    """
    variables = _granted_variables(granted, os.environ if environ is None else environ)
    here = caller_folder if caller_folder is not None else _working_folder()
    guard = _Guard(record, paths)
    named = [value for name, value in variables.items() if name in CERTIFICATE_VARIABLES]
    certificates = [value for value in named if not guard.is_ours(os.path.realpath(value))]
    read = filter(None, [guard.readable(text, here) for text in granted.read])
    write = list(filter(None, [guard.writable(text, here) for text in granted.write]))
    data, tmp = str(paths.plugin_data(record.name)), str(paths.plugin_tmp(record.name))
    program = _program(record)
    execute = [*SYSTEM_FOLDERS, *interpreter_folders(record), *guard.code()] if granted.spawn else []
    listed = granted.network if isinstance(granted.network, tuple) else ()
    return Policy(
        cwd=here if any(text == "." for text in (*granted.read, *granted.write)) else data,
        own=(data, tmp),
        closed=guard.root,
        read=_unique(
            *SYSTEM_FOLDERS, *SYSTEM_FILES, *interpreter_folders(record), *guard.code(), *read, *files,
            *certificates, *(GPU_INFORMATION if "gpu" in granted.devices else ()),
        ),
        write=_unique(data, tmp, *write),
        execute=_unique(*execute, *_executables(program)),
        devices=tuple(_devices(granted.devices)),
        sockets=tuple(filter(None, (_socket_path(name, paths) for name in granted.sockets))),
        network="hosts" if listed else "any" if granted.network == "any" else "none",
        hosts=tuple(map(HostPattern.parse, listed)),
        spawn=bool(granted.spawn),
        program=program,
        variables=variables,
        resources=Resources.of(granted.limits),
        extra_address_bytes=sum(map(_size, files)),
    )  # fmt: skip


def interpreter_folders(record: PluginRecord) -> list[str]:
    """List what belongs to a plugin's interpreter: its library, and the environment around it."""
    prefixes = dict.fromkeys(
        (os.path.dirname(os.path.dirname(record.python)), sys.base_prefix, sys.base_exec_prefix)
    )
    parts = ("bin", "lib", "lib64", "share", "pyvenv.cfg")
    return [os.path.join(prefix, part) for prefix in prefixes for part in parts]


class _Guard:
    """Tells what no plugin may reach, whatever was granted.

    Args:
        record: the plugin.
        paths: the user folder.

    Attributes:
        root: its real path.
    """

    def __init__(self, record: PluginRecord, paths: Paths) -> None:
        self._record = record
        self.root = os.path.realpath(paths.root)

    def code(self) -> list[str]:
        """List the folders that the plugin's code is loaded from.

        One that contains the user folder is left out; if it is the plugin's own, nothing can be done.
        """
        record = self._record
        folders = [*(folder for _, folder in record.folders), *record.code]
        own = {record.location, *record.code}
        for folder in folders:
            if folder in own and holds(os.path.realpath(folder), self.root):
                raise self._refuse(f"its code lies in {folder}, around your Cellwall folder {self.root}")
        return [folder for folder in folders if not holds(os.path.realpath(folder), self.root)]

    def is_ours(self, path: str) -> bool:
        """Whether a real path lies in the user folder, or around it."""
        return holds(path, self.root) or holds(self.root, path)

    def readable(self, text: str, here: str) -> str:
        """Return the real path of a granted file or folder; empty if its variable is not set."""
        place = expanded(text)
        if place is None:
            return ""
        path = os.path.realpath(os.path.join(here, place))
        if self.is_ours(path):
            raise self._refuse(
                f"it was granted '{text}', which is {path} here and reaches Cellwall's own {self.root}"
            )
        for closed in NEVER_GRANTED:
            if holds(path, closed) or holds(closed, path):
                raise self._refuse(f"it was granted '{text}', which is {path} here and reaches {closed}")
        return path

    def writable(self, text: str, here: str) -> str:
        """Likewise, for changing: nothing that runs outside the wall may be among it."""
        path = self.readable(text, here)
        if not path:
            return ""
        code = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(__file__)), *self.code()]
        for folder in map(os.path.realpath, code):
            if holds(path, folder) or holds(folder, path):
                raise self._refuse(f"it was granted to write '{text}', which reaches the code in {folder}")
        return path

    def _refuse(self, cause: str) -> PluginBroken:
        name = self._record.name
        return PluginBroken(
            name,
            f"plugin '{name}' was not started: {cause}; call it from another folder, or take the grant back "
            f"with 'llm plugins revoke {name}'.",
        )


def holds(folder: str, path: str) -> bool:
    """Whether `path` is `folder` or lies in it; both are real paths."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return "/"  # it is gone; "/" can be granted to nobody


def _granted_variables(granted: Permissions, environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in granted.env if name in environ}


def _program(record: PluginRecord) -> tuple[str, ...]:
    command = record.manifest.command if record.manifest is not None else ()
    if not command:
        return ()
    from cellwall_kernel.wall._programs import resolve_program

    return resolve_program(record, command)


def _executables(program: tuple[str, ...]) -> list[str]:
    """List what must be executable so that a program of another language can take over.

    The dynamic linker counts as executed by the kernel; scripts need the interpreter that they name.
    """
    if not program:
        return []
    from cellwall_kernel.wall._programs import needed_executables

    return needed_executables(program[0])


def _devices(groups: Iterable[str]) -> Iterator[str]:
    for group in groups:
        for beginning in DEVICE_GROUPS.get(group, ()):
            folder, name = os.path.split(beginning)
            try:
                names = sorted(os.listdir(folder))  # noqa: PTH208
            except OSError:
                continue
            yield from (os.path.join(folder, found) for found in names if found.startswith(name))


def _socket_path(name: str, paths: Paths) -> str | None:
    """Return where a granted socket is; None if it is not there."""
    if name == "docker":
        return "/run/docker.sock" if os.path.exists("/run/docker.sock") else "/var/run/docker.sock"  # noqa: PTH110
    if name == "ssh-agent":
        return os.environ.get("SSH_AUTH_SOCK") or None
    path = os.path.realpath(os.path.expanduser(name))
    return None if holds(os.path.realpath(paths.root), path) else path


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def _unique(*paths: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))
