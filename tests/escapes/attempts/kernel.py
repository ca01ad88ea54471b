"""The kernel's rarer services: what a program that asks a model has no use for and what has broken before."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import struct
import sys

from ._registry import attempt
from ._system import LIBC, MACHINE, call, needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
USER_KEYRING, SESSION_KEYRING = -4, -3
JOIN_SESSION, UNLINK = 1, 9
PERSONALITY_NO_RANDOM = 0x0040000
NO_SUCH_THING = {errno.EINVAL, errno.EFAULT, errno.ENOENT, errno.EBADF, errno.ENODEV, errno.ESRCH}
"""What the kernel says to nonsense from somebody whom it would serve; EPERM and ENOSYS are refusals."""


def is_served(name: str, *arguments: object) -> bool:
    """Make a call with nonsense, and see whether only the nonsense was refused."""
    try:
        call(name, *arguments)
    except OSError as error:
        return error.errno in NO_SUCH_THING
    return True


@attempt("user_namespace", kind="kernel", takes_word=True)
def user_namespace(scene: Scene) -> object:
    """Become root of a world of one's own, where the kernel's rarer code can be reached."""
    return call("unshare", NEW_USER) == 0


@attempt("network_namespace", kind="kernel", takes_word=True)
def network_namespace(scene: Scene) -> object:
    """Get a network of one's own, with every right in it."""
    return call("unshare", NEW_USER | NEW_NETWORK) == 0


@attempt("user_namespace_by_clone", kind="kernel", takes_word=True)
def user_namespace_by_clone(scene: Scene) -> object:
    """Likewise for a child, with the call that makes processes."""
    child = call("clone", NEW_USER | signal.SIGCHLD, None, None, None, None)
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[0] == child


@attempt("user_namespace_by_younger_clone", kind="kernel", takes_word=True)
def user_namespace_by_younger_clone(scene: Scene) -> object:
    """Likewise, with the call whose flags no filter can see."""
    arguments = ctypes.create_string_buffer(struct.pack("8Q", NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0))
    child = call("clone3", arguments, 64)
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[0] == child


@attempt("enter_namespace", kind="kernel", takes_word=True)
def enter_namespace(scene: Scene) -> object:
    """Enter the namespace that the host is in."""
    return call("setns", os.open(f"/proc/{scene.host}/ns/uts", os.O_RDONLY), 0) == 0


@attempt("enter_namespace_by_process", kind="kernel", takes_word=True)
def enter_namespace_by_process(scene: Scene) -> object:
    """Likewise, through a descriptor of its process."""
    return call("setns", call("pidfd_open", scene.host, 0), 0x04000000) == 0


@attempt("mount", kind="kernel", takes_word=True)
def mount(scene: Scene) -> object:
    """Mount a file system, in a world of one's own if need be."""
    os.mkdir(scene.own("mounted"))
    for flags in (0x00020000, NEW_USER | 0x00020000):
        if LIBC.unshare(flags) == 0:
            break
    needs(LIBC.mount(b"none", b"/", None, 0x44000, None))
    return needs(LIBC.mount(b"none", scene.own("mounted").encode(), b"tmpfs", 0, None)) == 0


@attempt("mount_by_younger_calls", kind="kernel", takes_word=True)
def mount_by_younger_calls(scene: Scene) -> object:
    """Prepare a file system with the calls of kernel 5.2."""
    LIBC.unshare(NEW_USER | 0x00020000)
    return call("fsopen", ctypes.c_char_p(b"tmpfs"), 0) >= 0


@attempt("copy_a_mount", kind="kernel", takes_word=True)
def copy_a_mount(scene: Scene) -> object:
    """Copy a part of the tree, detached, to climb about in."""
    LIBC.unshare(NEW_USER | 0x00020000)
    return call("open_tree", -100, ctypes.c_char_p(scene.data.encode()), 1) >= 0


@attempt("pivot_root", kind="kernel", takes_word=True)
def pivot_root(scene: Scene) -> object:
    """Change what the root folder is, asked with nonsense."""
    return is_served("pivot_root", ctypes.c_char_p(b"/nowhere"), ctypes.c_char_p(b"/nowhere"))


@attempt("chroot", kind="kernel", takes_word=True)
def chroot(scene: Scene) -> object:
    """Change what this process takes for the root folder."""
    os.chroot(scene.data)
    return True


@attempt("keyring", kind="kernel", takes_word=True)
def keyring(scene: Scene) -> object:
    """Leave something in the user's keyring, where it outlives the process."""
    text = ctypes.c_char_p(scene.mark.encode())
    key = call("add_key", ctypes.c_char_p(b"user"), text, text, len(scene.mark), USER_KEYRING)
    call("keyctl", UNLINK, key, USER_KEYRING)
    return key > 0


@attempt("session_keyring", kind="kernel", takes_word=True)
def session_keyring(scene: Scene) -> object:
    """Look into the session's keyring."""
    return call("keyctl", 0, SESSION_KEYRING, 1) > 0


@attempt("request_key", kind="kernel", takes_word=True)
def request_key(scene: Scene) -> object:
    """Ask for a key, which may make the kernel start a program as root: the kind does not exist."""
    try:
        call("request_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"cellwall"), None, 0)
    except OSError as error:
        return error.errno in {126, errno.ENOENT}
    return True


@attempt("bpf", kind="kernel", takes_word=True)
def bpf(scene: Scene) -> object:
    """Make a map for a program that would run in the kernel."""
    attributes = ctypes.create_string_buffer(struct.pack("5I", 2, 4, 8, 1, 0), 128)
    return call("bpf", 0, attributes, 72) >= 0


@attempt("perf_event", kind="kernel", takes_word=True)
def perf_event(scene: Scene) -> object:
    """Measure what the processor does, which tells about others."""
    wanted = ctypes.create_string_buffer(
        struct.pack("IIQ", 1, 112, 0) + bytes(24) + struct.pack("Q", 0x61), 112
    )
    return call("perf_event_open", wanted, 0, -1, -1, 0) >= 0


@attempt("userfaultfd", kind="kernel", takes_word=True)
def userfaultfd(scene: Scene) -> object:
    """Take over page faults, the helper of many exploits."""
    return call("userfaultfd", 1) >= 0


@attempt("io_uring", kind="kernel", takes_word=True)
def io_uring(scene: Scene) -> object:
    """Set up a ring through which filters do not see."""
    return call("io_uring_setup", 1, ctypes.create_string_buffer(120)) >= 0


@attempt("watch_file_system", kind="kernel", takes_word=True)
def watch_file_system(scene: Scene) -> object:
    """Be told of everything that happens to files."""
    return call("fanotify_init", 0x200, 0) >= 0


@attempt("secret_memory", kind="kernel", takes_word=True)
def secret_memory(scene: Scene) -> object:
    """Have memory that even the kernel does not see."""
    return call("memfd_secret", 0) >= 0


@attempt("local_descriptor_table", kind="kernel", takes_word=True)
def local_descriptor_table(scene: Scene) -> object:
    """Change how the processor addresses memory, an old source of bugs."""
    entry = ctypes.create_string_buffer(struct.pack("IIII", 0, 0, 0xFFFFF, 0x51), 16)
    return call("modify_ldt", 1, entry, 16) == 0


@attempt("ports_of_devices", kind="kernel", takes_word=True)
def ports_of_devices(scene: Scene) -> object:
    """Speak to devices directly."""
    return call("iopl", 0) == 0 and call("ioperm", 0x80, 1, 1) == 0


@attempt("personality", kind="kernel", takes_word=True)
def personality(scene: Scene) -> object:
    """Make addresses predictable for what is started next."""
    call("personality", PERSONALITY_NO_RANDOM)
    return call("personality", 0xFFFFFFFF) == PERSONALITY_NO_RANDOM


@attempt("load_new_kernel", kind="kernel", takes_word=True)
def load_new_kernel(scene: Scene) -> object:
    """Prepare another kernel, asked with nonsense."""
    return is_served("kexec_load", 0, 100, None, 0)


@attempt("load_kernel_module", kind="kernel", takes_word=True)
def load_kernel_module(scene: Scene) -> object:
    """Load code into the kernel, asked with nonsense."""
    return is_served("init_module", None, 0, None) or is_served("delete_module", None, 0)


@attempt("reboot", kind="kernel", takes_word=True)
def reboot(scene: Scene) -> object:
    """Restart the machine, asked with the wrong numbers."""
    return is_served("reboot", 1, 1, 0, None)


@attempt("swap", kind="kernel", takes_word=True)
def swap(scene: Scene) -> object:
    """Have memory written to a file, asked with nonsense."""
    return is_served("swapon", ctypes.c_char_p(b"/nowhere"), 0)


@attempt("accounting", kind="kernel", takes_word=True)
def accounting(scene: Scene) -> object:
    """Have every process that ends written down, asked with nonsense."""
    return is_served("acct", ctypes.c_char_p(b"/nowhere"))


@attempt("kernel_messages", kind="kernel", takes_word=True)
def kernel_messages(scene: Scene) -> object:
    """Read the kernel's messages by the old call."""
    return call("syslog", 3, ctypes.create_string_buffer(4096), 4096) > 0


@attempt("quotas", kind="kernel", takes_word=True)
def quotas(scene: Scene) -> object:
    """Change how much disk users may use, asked with nonsense."""
    return is_served("quotactl", 0x80000200, ctypes.c_char_p(b"/nowhere"), 0, None)


@attempt("set_clock", kind="kernel", takes_word=True)
def set_clock(scene: Scene) -> object:
    """Set the time zone of the kernel to what it is: the right that setting the time needs."""
    zone = ctypes.create_string_buffer(struct.pack("ii", 0, 0))
    return call("settimeofday", None, zone) == 0


@attempt("set_host_name", kind="kernel", takes_word=True)
def set_host_name(scene: Scene) -> object:
    """Give the machine a name: the one that it has."""
    name = os.uname().nodename.encode()
    return needs(LIBC.sethostname(name, len(name))) == 0


@attempt("migrate_pages", kind="kernel", takes_word=True)
def migrate_pages(scene: Scene) -> object:
    """Move the host's memory to other places in the machine."""
    node = ctypes.c_ulong(1)
    return call("migrate_pages", scene.host, 64, ctypes.byref(node), ctypes.byref(node)) >= 0


@attempt("old_machine_call", kind="kernel", takes_word=True)
def old_machine_call(scene: Scene) -> object:
    """Make a call in the way of 32-bit programs, whose numbers mean other things."""
    if MACHINE != "x86_64":
        return False
    code = bytes.fromhex("53 b814000000 cd80 5b c3")  # push rbx; mov eax,20 (getpid); int 0x80; pop rbx; ret
    return run_code(code) == os.getpid()


@attempt("half_old_machine_call", kind="kernel", takes_word=True)
def half_old_machine_call(scene: Scene) -> object:
    """Make a call with the bit that marks programs with short pointers."""
    return MACHINE == "x86_64" and call(0x40000000 + 39) == os.getpid()


def run_code(code: bytes) -> int:
    """Run machine code that gives a number."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result: int = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    sys.modules["_cellwall_page"] = page  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # it must not be unmapped while it runs
    return result


@attempt("system_v_memory", kind="kernel")
def system_v_memory(scene: Scene) -> None:
    """Leave shared memory behind that has no file."""
    needs(LIBC.shmget(scene.number, 4096, 0o1600))


@attempt("system_v_messages", kind="kernel")
def system_v_messages(scene: Scene) -> None:
    """Leave a queue of messages behind."""
    needs(LIBC.msgget(scene.number, 0o1600))


@attempt("system_v_semaphores", kind="kernel")
def system_v_semaphores(scene: Scene) -> None:
    """Leave semaphores behind."""
    needs(LIBC.semget(scene.number, 1, 0o1600))


@attempt("posix_messages", kind="kernel")
def posix_messages(scene: Scene) -> None:
    """Leave a named queue of messages behind."""
    call("mq_open", ctypes.c_char_p(scene.mark.encode()), os.O_CREAT | os.O_RDWR, 0o600, None)


@attempt("gain_by_programs", kind="kernel", takes_word=True)
def gain_by_programs(scene: Scene) -> object:
    """Keep the right to gain rights by a program that gives them."""
    return needs(LIBC.prctl(39, 0, 0, 0, 0)) == 0


@attempt("hide_from_death_of_parent", kind="kernel", takes_word=True)
def hide_from_death_of_parent(scene: Scene) -> object:
    """Wish not to be told when the parent dies, so as to live on."""
    return needs(LIBC.prctl(1, 0, 0, 0, 0)) == 0


@attempt("hide_past_a_filter", kind="kernel", takes_word=True)
def hide_past_a_filter(scene: Scene) -> object:
    """Likewise, with high bits set in the request, which the kernel ignores and careless filters compare."""
    return call("prctl", 1 | 1 << 32, 0, 0, 0, 0) == 0


@attempt("become_another_user", kind="kernel", takes_word=True)
def become_another_user(scene: Scene) -> object:
    """Become somebody else, as root can: whose files would be open then."""
    os.setresuid(60998, 60998, 60998)
    return os.getuid() == 60998


@attempt("hold_capabilities", kind="kernel", takes_word=True)
def hold_capabilities(scene: Scene) -> object:
    """Keep rights beyond those of an ordinary user, or get them back."""
    with open("/proc/self/status", encoding="ascii") as status:
        held = [int(line.split()[1], 16) for line in status if line.startswith(("CapEff", "CapPrm"))]
    return any(held)
