"""The calls that the filter is asked about in `test_seccomp.py`, and what it should say to each."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple

from cellwall_kernel.wall._seccomp import FilterPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator


def words(text: str) -> list[str]:
    """Return the names in a text."""
    return text.split()


ALLOW, REFUSE, ABSENT, NOTHING_DONE = 0x7FFF0000, 0x00050001, 0x00050026, 0x00050000
UNSUPPORTED = 0x0005005F
NOTIFY, KILL = 0x7FC00000, 0x80000000
ME, OTHER = 4711, 4712
HIGH = 0xDEAD_BEEF_0000_0000
"""Bits that the kernel does not look at when an argument is an `int`."""


TIGHT = FilterPolicy(network="none")
SOFT = FilterPolicy(network="none", soft_metadata=True)
SPAWN = FilterPolicy(network="none", spawn=True)
EXECS = FilterPolicy(network="none", execs=True)
UNIX = FilterPolicy(network="none", unix=True)
HOSTED = FilterPolicy(network="none", hosted_bind=True)
HOSTS = FilterPolicy(network="hosts")
BROKERED = FilterPolicy(network="hosts", brokered=True)
ANY = FilterPolicy(network="any")

NETWORKS: tuple[Literal["none", "hosts", "any"], ...] = ("none", "hosts", "any")
SWITCHES = (False, True)
POLICIES = [
    FilterPolicy(
        network=network,
        spawn=spawn,
        execs=execs,
        brokered=brokered,
        soft_metadata=soft,
        unix=unix,
        hosted_bind=hosted,
    )
    for network in NETWORKS
    for spawn, execs, brokered, soft, unix, hosted in product(SWITCHES, repeat=6)
    if (network == "hosts" or not brokered) and (network == "none" or not hosted)
]
"""Every policy that does not contradict itself."""

ALWAYS_REFUSED = words("""
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd unshare setns
    mount umount2 chroot pivot_root open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick
    mount_setattr statmount listmount listns keyctl add_key request_key bpf perf_event_open userfaultfd
    memfd_secret kexec_load kexec_file_load init_module finit_module delete_module create_module query_module
    get_kernel_syms reboot swapon swapoff syslog acct quotactl quotactl_fd settimeofday clock_settime adjtimex
    clock_adjtime open_by_handle_at name_to_handle_at lookup_dcookie nfsservctl vhangup iopl ioperm modify_ldt
    fanotify_init migrate_pages move_pages uselib _sysctl sethostname setdomainname setpgid shmget shmat
    shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend
    mq_timedreceive mq_notify mq_getsetattr
""")

ALWAYS_ABSENT = ["io_uring_setup", "io_uring_enter", "io_uring_register", "clone3", "openat2"]

WITHOUT_SPAWN = words("""
    fork vfork execve execveat setsid memfd_create pidfd_open pidfd_send_signal truncate
""")

BY_PATH = words("getxattr lgetxattr listxattr llistxattr getxattrat listxattrat")
METADATA = words("""
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat setxattr
    lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat file_setattr
""")

ALWAYS_ALLOWED = words("""
    read write close mmap munmap mprotect futex newfstatat fstat lseek poll ppoll epoll_wait epoll_pwait
    recvfrom recvmsg pread64 readv writev rt_sigaction rt_sigprocmask madvise brk getpid gettid
    clock_nanosleep getrandom getdents64 ftruncate close_range faccessat2 epoll_pwait2 futex_waitv
    landlock_create_ruleset landlock_add_rule landlock_restrict_self cachestat map_shadow_stack futex_wake
    futex_wait futex_requeue lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal
    file_getattr set_mempolicy_home_node
""")


class Case(NamedTuple):
    """One call under one policy."""

    policy: FilterPolicy
    name: str
    arguments: tuple[int, ...]
    expected: int


def cases(expected: int, policy: FilterPolicy, name: str, *arguments: tuple[int, ...]) -> Iterator[Case]:
    """Make a case of each list of arguments."""
    for one in arguments:
        yield Case(policy, name, one, expected)


O_CREAT, O_TMPFILE, O_TRUNC = 0o100, 0o20000000, 0o1000
CLONE_OF_A_THREAD, CLONE_OF_A_CHILD = 0x3D0F00, 0x1200011
NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
PTRACER = 0x59616D61
STREAM, DATAGRAM, FLAGS = 1, 2, 0o2004000
FASTOPEN = 0x20000000
PIDS = ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr")
SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
TERMINAL = (0x5412, 0x541C, 0x5423, 0x541D, 0x4B47, 0x4B49)
INODE = (0x40086602, 0x40046602, 0x40087602, 0x40806685, 0xC0045877, 0x401C5820, 0x5000940F, 0x50009401)
HARMLESS = (0x5401, 0x5421, 0x541B, 0x80086601, 0x801C581F, 0x40049409, 0x4020940D, 0xC0189436)

PROCESS_CASES = [
    *(case for name in PIDS for case in cases(ALLOW, TIGHT, name, (0,), (ME,), (HIGH | ME,), (HIGH,))),
    *(case for name in PIDS for case in cases(REFUSE, TIGHT, name, (OTHER,), (-1,), (HIGH | 1,))),
    *cases(ALLOW, TIGHT, "setpriority", (0, 0, 5), (0, ME, 5)),
    *cases(REFUSE, TIGHT, "setpriority", (0, OTHER, 5), (1, 0, 5), (2, 0, 5), (2, ME, 5)),
    *cases(ALLOW, TIGHT, "ioprio_set", (1, 0, 0), (1, ME, 0)),
    *cases(REFUSE, TIGHT, "ioprio_set", (1, OTHER, 0), (2, 0, 0), (3, 0, 0)),
    *cases(NOTHING_DONE, TIGHT, "prctl", (4,)),
    *cases(ALLOW, TIGHT, "prctl", (15,), (38,), (22,), (2,), (0x53564D41,)),
    *cases(REFUSE, TIGHT, "prctl", (1,), (HIGH | 1,), (35,), (62,), (PTRACER,)),
    *cases(REFUSE, SPAWN, "prctl", (1,)),
    *cases(ALLOW, TIGHT, "personality", (0xFFFFFFFF,)),
    *cases(REFUSE, TIGHT, "personality", (0,), (0x0400000,), (0x40000,)),
    *cases(ALLOW, TIGHT, "seccomp", (1, 0), (1, 1), (2, 0)),
    *cases(REFUSE, TIGHT, "seccomp", (1, 8), (1, 9), (1, HIGH | 8)),
    *cases(ALLOW, TIGHT, "clone", (CLONE_OF_A_THREAD,)),
    *cases(REFUSE, TIGHT, "clone", (CLONE_OF_A_CHILD,), (17,), (HIGH | 17,)),
    *cases(ALLOW, SPAWN, "clone", (CLONE_OF_A_THREAD,), (CLONE_OF_A_CHILD,), (17,)),
    *(
        case
        for policy, flags in product((TIGHT, SPAWN), NAMESPACES)
        for case in cases(REFUSE, policy, "clone", (flags | 17,), (flags | CLONE_OF_A_THREAD,))
    ),
    *(case for name in SIGNALS for case in cases(ALLOW, TIGHT, name, (ME, 9), (HIGH | ME, 9))),
    *(case for name in SIGNALS for case in cases(REFUSE, TIGHT, name, (OTHER, 9), (0, 9), (-1, 9), (-ME, 9))),
    *(case for name in SIGNALS for case in cases(ALLOW, SPAWN, name, (OTHER, 9), (ME, 9))),
    *cases(REFUSE, SPAWN, "kill", (-1, 9), (0xFFFFFFFF, 9)),
    *(case for name in WITHOUT_SPAWN for case in cases(REFUSE, TIGHT, name, ())),
    *(case for name in WITHOUT_SPAWN for case in cases(ALLOW, SPAWN, name, ())),
    *(
        Case(EXECS, name, (), ALLOW if name.startswith("exec") else REFUSE)
        for name in (*WITHOUT_SPAWN, "clone", "kill")
    ),
]

FILE_CASES = [
    *cases(ALLOW, TIGHT, "openat", (3, 0, 0), (3, 0, 1, 0o6000), (3, 0, O_CREAT | 2, 0o600)),
    *cases(ALLOW, TIGHT, "openat", (3, 0, O_TRUNC | 1), (3, 0, O_TRUNC | 2 | O_CREAT, 0o644)),
    *cases(REFUSE, TIGHT, "openat", (3, 0, 3), (3, 0, O_TRUNC), (3, 0, O_TRUNC | 3), (3, 0, HIGH | 3)),
    *cases(REFUSE, TIGHT, "openat", (3, 0, O_CREAT | 1, 0o4755), (3, 0, O_TMPFILE | 2, 0o2755)),
    *cases(ALLOW, TIGHT, "open", (0, 0), (0, O_CREAT | 1, 0o600)),
    *cases(REFUSE, TIGHT, "open", (0, 3), (0, O_TRUNC), (0, O_CREAT | 1, 0o4755)),
    *cases(ALLOW, TIGHT, "creat", (0, 0o644)),
    *cases(REFUSE, TIGHT, "creat", (0, 0o4755)),
    *cases(ALLOW, TIGHT, "mknod", (0, 0o100644), (0, 0o010600), (0, 0o140600), (0, 0o600)),
    *cases(REFUSE, TIGHT, "mknod", (0, 0o020600), (0, 0o060600), (0, HIGH | 0o020600), (0, 0o104755)),
    *cases(ALLOW, TIGHT, "mknodat", (3, 0, 0o100644), (3, 0, 0o010600)),
    *cases(REFUSE, TIGHT, "mknodat", (3, 0, 0o020600), (3, 0, 0o060600), (3, 0, 0o102755)),
    *(case for name in METADATA for case in cases(NOTHING_DONE, SOFT, name, (), (0, 0o4755, 0o4755))),
    *(case for name in BY_PATH for case in cases(UNSUPPORTED, SOFT, name, (), (1, 2, 3))),
    *(case for name in BY_PATH for case in cases(ALLOW, TIGHT, name, ())),
    *cases(REFUSE, SOFT, "inotify_add_watch", ()),
    *cases(ALLOW, TIGHT, "inotify_add_watch", ()),
    *(case for name in METADATA for case in cases(ALLOW, TIGHT, name, (3, 0o755, 0o755))),
    *(case for name in ("chmod", "fchmod") for case in cases(REFUSE, TIGHT, name, (3, 0o4755), (3, 0o2755))),
    *(case for name in ("fchmodat", "fchmodat2") for case in cases(REFUSE, TIGHT, name, (3, 0, 0o4755))),
]

DESCRIPTOR_CASES = [
    *(case for c in TERMINAL for case in cases(REFUSE, TIGHT, "ioctl", (0, c), (0, HIGH | c))),
    *(case for c in (0x8901, 0x8902) for case in cases(REFUSE, SPAWN, "ioctl", (3, c), (3, HIGH | c))),
    *(case for c in HARMLESS for case in cases(ALLOW, SOFT, "ioctl", (3, c))),
    *(case for c in INODE for case in cases(REFUSE, SOFT, "ioctl", (3, c), (3, HIGH | c))),
    *(case for c in (*INODE, *HARMLESS) for case in cases(ALLOW, TIGHT, "ioctl", (3, c))),
    *cases(
        ALLOW, TIGHT, "fcntl", *((3, command) for command in (0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 37, 1030, 1031))
    ),
    *cases(REFUSE, TIGHT, "fcntl", *((3, command) for command in (8, 10, 15, 1024, HIGH | 8))),
]

EVERY_SOCKET = [
    (family, kind | flags, protocol)
    for family, kind, flags, protocol in product(
        (1, 2, 10, 16, 17, 38, 40, 44), (1, 2, 3, 5), (0, FLAGS), (0, 1, 6, 17, 132, 136, 262)
    )
]


def is_allowed_socket(policy: FilterPolicy, family: int, kind: int, protocol: int) -> bool:
    """Say in other words what the filter should say."""
    kind &= ~FLAGS
    tcp = family in {2, 10} and kind == STREAM and protocol in {0, 6}
    udp = family in {2, 10} and kind == DATAGRAM and protocol in {0, 17}
    local = (policy.unix or policy.hosted_bind) and family == 1 and kind == STREAM
    return local or (policy.network != "none" and tcp) or (policy.network == "any" and udp)


NETWORK_CASES = [
    *(
        case
        for p in (TIGHT, HOSTS, ANY, SPAWN)
        for case in cases(ALLOW, p, "socketpair", (1, 1), (1, 1 | FLAGS))
    ),
    *(
        case
        for p in (TIGHT, ANY, UNIX)
        for case in cases(REFUSE, p, "socketpair", (1, 2), (1, 5), (2, 1), (0, 1))
    ),
    *(
        Case(policy, name, (3,), expected)
        for name in ("bind", "listen", "accept", "accept4")
        for policy, expected in (
            (TIGHT, REFUSE),
            (UNIX, REFUSE),
            (HOSTS, REFUSE),
            (BROKERED, REFUSE),
            (ANY, ALLOW),
        )
    ),
    *(
        Case(HOSTED, name, (3,), expected)
        for name, expected in (
            *(
                ("bind", NOTIFY),
                ("listen", ALLOW),
                ("accept", ALLOW),
                ("accept4", ALLOW),
                ("connect", REFUSE),
            ),
        )
    ),
    *(
        Case(policy, "connect", (3,), expected)
        for policy, expected in (
            *((TIGHT, REFUSE), (UNIX, ALLOW), (HOSTS, ALLOW), (BROKERED, NOTIFY), (ANY, ALLOW)),
        )
    ),
    *(
        case
        for policy, name in product((HOSTS, BROKERED), ("sendto", "sendmmsg"))
        for case in (
            *cases(REFUSE, policy, name, (3, 0, 0, FASTOPEN), (3, 0, 0, FASTOPEN | 0x4000)),
            *cases(ALLOW, policy, name, (3, 0, FASTOPEN, 0x4000), (3, 0, 0, 0)),
        )
    ),
    *cases(REFUSE, HOSTS, "sendmsg", (3, 0, FASTOPEN), (3, 0, HIGH | FASTOPEN | 0x4000)),
    *cases(ALLOW, HOSTS, "sendmsg", (3, 0, 0x4000), (3, 0, 0)),
    *cases(ALLOW, ANY, "sendmsg", (3, 0, FASTOPEN)),
]
