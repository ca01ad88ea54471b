"""Which system calls a plugin may make: tables, and a few decisions about arguments.

What no rule names is allowed. Only numbers are looked at, never what a pointer points to: another thread
could change that after the check. Arguments that the kernel takes as an `int` count with their low half
only, as in the kernel; a filter that compares all 64 bits is passed by setting one of the high ones.

Three of the groups stand in for Landlock, which does not see them: what the metadata of files says, signals
on kernels before 6.12, and truncation before 6.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from cellwall_kernel.wall._bpf import NO_PROCESS, Question, Verdict, argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwall_kernel.wall._bpf import Decision

__all__ = [
    "ABSENT",
    "ALLOW",
    "KILL",
    "NOTHING_DONE",
    "NOTIFY",
    "REFUSE",
    "UNSUPPORTED",
    "FilterPolicy",
    "rules",
]

ALLOW = Verdict(0x7FFF_0000)
REFUSE = Verdict(0x0005_0000 | 1)
"""EPERM."""

ABSENT = Verdict(0x0005_0000 | 38)
"""ENOSYS: programs take it for an older kernel, and fall back on a call that the filter can judge."""

UNSUPPORTED = Verdict(0x0005_0000 | 95)
"""The call fails with ENOTSUP, as on a file system that lacks it: copying a file goes on without."""

NOTHING_DONE = Verdict(0x0005_0000)
"""The call returns 0 and has no effect."""

NOTIFY = Verdict(0x7FC0_0000)
"""The host is asked, and does what it allows by itself."""

KILL = Verdict(0x8000_0000)
"""The whole process ends by SIGSYS."""


class FilterPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a filter lets pass, beyond what every plugin may do.

    Args:
        network: "none" makes no sockets but pairs of streams, "hosts" TCP sockets that connect, "any" TCP
            and UDP sockets; of IPv4 and IPv6.
        spawn: whether programs may be started.
        execs: whether the process may become another program, as which the bootstrap starts a command that is
            no Python; it still has no children.
        brokered: whether `connect` is answered by the host; only with network "hosts".
        soft_metadata: whether changes of mode, owner, times and extended attributes do nothing and succeed,
            and extended attributes and folders' events cannot be had by path: no path rule covers them.
            They must not pass where Landlock alone guards the files, and a refusal breaks `shutil.copy`.
        unix: whether stream sockets of the family AF_UNIX may be made, for a socket granted by its path.
        hosted_bind: whether, without a network, stream sockets of that family may be made and listened on;
            the host answers `bind`, and gives them a name that nobody can reach.
    """

    network: Literal["none", "hosts", "any"]
    spawn: bool = False
    execs: bool = False
    brokered: bool = False
    soft_metadata: bool = False
    unix: bool = False
    hosted_bind: bool = False


def rules(policy: FilterPolicy) -> Mapping[str, Decision]:
    """Return what becomes of each call that is not simply allowed, by its name.

    Raises:
        ValueError: the policy contradicts itself.
    """
    if policy.brokered and policy.network != "hosts":
        raise ValueError(f"connections are brokered for listed hosts, not for network {policy.network!r}")
    return {
        **dict.fromkeys(_NEVER, REFUSE),
        **dict.fromkeys(_NOT_THERE, ABSENT),
        **_of_this_process(),
        **_programs(policy),
        **_files(),
        **_metadata(policy),
        **_descriptors(policy),
        **_network(policy),
    }


# -- never ---------------------------------------------------------------------------------------------------

_NEVER = (
    # other processes
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease"),
    *("kcmp", "pidfd_getfd", "migrate_pages", "move_pages", "setpgid"),
    # namespaces and mounts
    *("unshare", "setns", "chroot", "pivot_root", "mount", "umount2", "mount_setattr", "move_mount"),
    *("open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("statmount", "listmount", "listns"),
    # files by handle, past every path
    *("name_to_handle_at", "open_by_handle_at", "lookup_dcookie", "fanotify_init"),
    # keyrings
    *("add_key", "request_key", "keyctl"),
    # large parts of the kernel that no plugin needs, each with a history of holes
    *("bpf", "perf_event_open", "userfaultfd", "memfd_secret", "modify_ldt", "uselib"),
    # the machine as a whole
    *("init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms"),
    *("kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd"),
    *("nfsservctl", "_sysctl", "syslog", "vhangup", "iopl", "ioperm", "sethostname", "setdomainname"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime"),
    # memory, semaphores and queues with names that outlive the plugin and that no path rule covers
    *("shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "mq_notify", "mq_getsetattr"),
    *("mq_timedsend", "mq_timedreceive"),
)

_NOT_THERE = (
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),  # does what other calls do, past the filter
    *("clone3", "openat2"),  # their flags stand in memory, where a filter cannot look
)


# -- decisions -----------------------------------------------------------------------------------------------

_WHOLE = 0xFFFF_FFFF


def _one_of(
    index: int, values: Iterable[int], yes: Decision, no: Decision, *, mask: int = _WHOLE
) -> Decision:
    """Decide by whether the argument, of which only `mask` counts, is one of the values."""
    for value in reversed(tuple(values)):
        no = Question(offset=argument(index), mask=mask, value=value, yes=yes, no=no)
    return no


def _any_bit(index: int, bits: int, yes: Decision, no: Decision) -> Decision:
    return Question(offset=argument(index), kind="any_bit", value=bits, yes=yes, no=no)


def _own(index: int) -> Decision:
    """Allow the process's own number only."""
    return Question(offset=argument(index), value=NO_PROCESS, is_own_pid=True, yes=ALLOW, no=REFUSE)


def _own_or_zero(index: int) -> Decision:
    return _one_of(index, (0,), ALLOW, _own(index))


# -- this process and its programs ---------------------------------------------------------------------------

_PDEATHSIG, _DUMPABLE, _SET_MM, _SCHED_CORE, _SET_PTRACER = 1, 4, 35, 62, 0x5961_6D61
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1
_PERSONALITY_QUERY = 0xFFFF_FFFF
_NEW_LISTENER = 1 << 3
_EVERYBODY = 0xFFFF_FFFF  # kill(-1)
_CLONE_THREAD = 0x0001_0000
_CLONE_NAMESPACES = 0x7E02_0000


def _of_this_process() -> dict[str, Decision]:
    """Return the rules for calls that are good for oneself and bad for others."""
    return {
        **dict.fromkeys(
            ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr"),
            _own_or_zero(0),
        ),
        "setpriority": _one_of(0, (_PRIO_PROCESS,), _own_or_zero(1), REFUSE),
        "ioprio_set": _one_of(0, (_IOPRIO_WHO_PROCESS,), _own_or_zero(1), REFUSE),
        # our end with the keeper's, other code than the program's own, core cookies of others, a tracer
        "prctl": _one_of(
            0,
            (_PDEATHSIG, _SET_MM, _SCHED_CORE, _SET_PTRACER),
            REFUSE,
            # who hides from the host cannot be measured by it; some programs end when this is refused
            _one_of(0, (_DUMPABLE,), NOTHING_DONE, ALLOW),
        ),
        "personality": _one_of(0, (_PERSONALITY_QUERY,), ALLOW, REFUSE),
        # a filter may be added; one that answers itself could take over `connect` when the host's broker ends
        "seccomp": _any_bit(1, _NEW_LISTENER, REFUSE, ALLOW),
    }


def _programs(policy: FilterPolicy) -> dict[str, Decision]:
    """Return the rules for processes and signals: without children, there is nobody but oneself to signal."""
    if policy.spawn:
        return {
            "clone": _any_bit(0, _CLONE_NAMESPACES, REFUSE, ALLOW),
            "kill": _one_of(0, (_EVERYBODY,), REFUSE, ALLOW),
        }
    thread = _any_bit(0, _CLONE_THREAD, ALLOW, REFUSE)
    refused = ["fork", "vfork", "setsid", "memfd_create", "pidfd_open", "pidfd_send_signal"]
    if not policy.execs:
        refused += ["execve", "execveat"]
    return {
        **dict.fromkeys(refused, REFUSE),
        "clone": _any_bit(0, _CLONE_NAMESPACES, REFUSE, thread),
        **dict.fromkeys(("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"), _own(0)),
        "truncate": REFUSE,
    }


# -- files ---------------------------------------------------------------------------------------------------

_O_ACCMODE, _O_TRUNC, _O_CREAT, _O_TMPFILE = 0o3, 0o1000, 0o100, 0o20_000_000
_SET_ID = 0o6000
_S_IFMT, _S_IFCHR, _S_IFBLK = 0o170_000, 0o020_000, 0o060_000


def _files() -> dict[str, Decision]:
    """Return the rules for making and opening files: no devices, nothing that runs as its owner."""
    return {
        "open": _open(1),
        "openat": _open(2),
        "creat": _without_set_id(1),
        "mknod": _mknod(1),
        "mknodat": _mknod(2),
    }


def _without_set_id(mode: int) -> Decision:
    return _any_bit(mode, _SET_ID, REFUSE, ALLOW)


def _mknod(mode: int) -> Decision:
    return _one_of(mode, (_S_IFCHR, _S_IFBLK), REFUSE, _without_set_id(mode), mask=_S_IFMT)


def _open(flags: int) -> Decision:
    """Refuse what Landlock takes for less than it is, before its ABI 3.

    It asks for no right at all when both bits of the access mode are set, and for the right to read when a
    file is emptied by opening it to read; the kernel does both.
    """
    odd = (_O_ACCMODE, _O_ACCMODE | _O_TRUNC, _O_TRUNC)
    creating = _any_bit(flags, _O_CREAT | _O_TMPFILE, _without_set_id(flags + 1), ALLOW)
    return _one_of(flags, odd, REFUSE, creating, mask=_O_ACCMODE | _O_TRUNC)


_MODES = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2}  # name -> which argument is the mode
_METADATA = (
    *_MODES,
    *("chown", "fchown", "lchown", "fchownat", "utime", "utimes", "futimesat", "utimensat"),
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
    "file_setattr",
)
_ATTRIBUTES_BY_PATH = (  # of files that cannot be opened, too; by descriptor they are as open as the file
    *("getxattr", "lgetxattr", "listxattr", "llistxattr", "getxattrat", "listxattrat"),
)


def _metadata(policy: FilterPolicy) -> dict[str, Decision]:
    """Return the rules for what is known about a file: a descriptor opened to read is enough to change it."""
    if policy.soft_metadata:
        return {
            **dict.fromkeys(_METADATA, NOTHING_DONE),
            **dict.fromkeys(_ATTRIBUTES_BY_PATH, UNSUPPORTED),
            "inotify_add_watch": REFUSE,
        }
    return {name: _without_set_id(mode) for name, mode in _MODES.items()}


# -- descriptors ---------------------------------------------------------------------------------------------

_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE = 8, 10, 15, 1024
_FIOSETOWN, _SIOCSPGRP = 0x8901, 0x8902
_TERMINAL = (
    *(0x5412, 0x541C),  # TIOCSTI, TIOCLINUX: type into the terminal
    *(0x5423, 0x541D),  # TIOCSETD, TIOCCONS: load a line discipline, take the console's output
    *(0x4B47, 0x4B49),  # KDSKBENT, KDSKBSENT: give keys another meaning
)
_INODE = (
    *(0x4008_6602, 0x4004_6602),  # FS_IOC_SETFLAGS, and as programs of 32 bits call it
    *(0x4008_7602, 0x4080_6685),  # FS_IOC_SETVERSION, FS_IOC_ENABLE_VERITY: never to be written again
)
_TYPE_MASK = 0xFF00
_OF_EVERY_SYSTEM, _READS_ATTRIBUTES = 0x5800, 0x801C_581F  # 'X'; of these, FS_IOC_FSGETXATTR only reads
_OF_BTRFS, _CLONES = 0x9400, (0x4004_9409, 0x4020_940D, 0xC018_9436)  # FICLONE, FICLONERANGE, FIDEDUPERANGE


def _descriptors(policy: FilterPolicy) -> dict[str, Decision]:
    """Return the rules for what can be done to a descriptor: no signals to others, no typing for the user."""
    ioctl: Decision = ALLOW
    if (
        policy.soft_metadata
    ):  # subvolumes, freezing, attributes: like the calls of `_METADATA`, no path rule sees them
        clone = _one_of(1, _CLONES, ALLOW, REFUSE)
        read = _one_of(1, (_READS_ATTRIBUTES,), ALLOW, REFUSE)
        ioctl = _one_of(1, (_OF_EVERY_SYSTEM,), read, ALLOW, mask=_TYPE_MASK)
        ioctl = _one_of(1, (_OF_BTRFS,), clone, ioctl, mask=_TYPE_MASK)
        ioctl = _one_of(1, _INODE, REFUSE, ioctl)
    return {
        "ioctl": _one_of(1, (*_TERMINAL, _FIOSETOWN, _SIOCSPGRP), REFUSE, ioctl),
        # a lease would make those wait who open a file that the plugin may only read
        "fcntl": _one_of(1, (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE), REFUSE, ALLOW),
    }


# -- network -------------------------------------------------------------------------------------------------

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_STREAM, _DATAGRAM = 1, 2
_SOCKET_TYPE = _WHOLE & ~(0o4000 | 0o2_000_000)  # without SOCK_NONBLOCK and SOCK_CLOEXEC
_TCP, _UDP = (0, 6), (0, 17)  # by number or as the default of its type; never MPTCP, SCTP, ICMP, UDP-Lite
_MSG_FASTOPEN = 0x2000_0000


def _network(policy: FilterPolicy) -> dict[str, Decision]:
    """Return the rules for sockets."""
    stream = _one_of(1, (_STREAM,), ALLOW, REFUSE, mask=_SOCKET_TYPE)
    found: dict[str, Decision] = {
        "socket": _socket(policy, stream),
        "socketpair": _one_of(0, (_AF_UNIX,), stream, REFUSE),  # one of datagrams could send to any path
    }
    if policy.network == "any":
        return found
    if policy.hosted_bind and policy.network == "none":  # only Unix sockets are there to be listened on
        return found | {"bind": NOTIFY, "connect": ALLOW if policy.unix else REFUSE}
    found |= dict.fromkeys(("bind", "listen", "accept", "accept4"), REFUSE)
    if policy.network == "hosts":  # a first packet with data connects without `connect`
        found |= {name: _any_bit(3, _MSG_FASTOPEN, REFUSE, ALLOW) for name in ("sendto", "sendmmsg")}
        found["sendmsg"] = _any_bit(2, _MSG_FASTOPEN, REFUSE, ALLOW)
    if policy.brokered:
        found["connect"] = NOTIFY
    elif policy.network == "none" and not policy.unix:
        found["connect"] = REFUSE
    return found


def _socket(policy: FilterPolicy, stream: Decision) -> Decision:
    inet: Decision = REFUSE
    if policy.network != "none":
        udp = _one_of(2, _UDP, ALLOW, REFUSE)
        other = (
            REFUSE if policy.network == "hosts" else _one_of(1, (_DATAGRAM,), udp, REFUSE, mask=_SOCKET_TYPE)
        )
        kind = _one_of(1, (_STREAM,), _one_of(2, _TCP, ALLOW, REFUSE), other, mask=_SOCKET_TYPE)
        inet = _one_of(0, (_AF_INET, _AF_INET6), kind, REFUSE)
    is_local = policy.unix or (policy.hosted_bind and policy.network == "none")
    return _one_of(0, (_AF_UNIX,), stream, inet) if is_local else inet
