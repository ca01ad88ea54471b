"""Reading what belongs to the user: every way to a file's content, and the files worth it."""

from __future__ import annotations

import ctypes
import os

from ._registry import attempt
from ._system import LIBC, call, link_descriptor, needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

AT_FDCWD = -100
RENAME_EXCHANGE = 2
IN_ALL_EVENTS = 0xFFF


def content(path: str | int) -> bytes:
    """Read a file."""
    with open(path, "rb") as file:
        return file.read()


@attempt("read_secret", kind="files")
def read_secret(scene: Scene) -> object:
    """Open the file by its name."""
    return content(scene.secret)


@attempt("read_secret_by_symlink", kind="files")
def read_secret_by_symlink(scene: Scene) -> object:
    """Let a link in the own folder point at it."""
    os.symlink(scene.secret, scene.own("link"))
    return content(scene.own("link"))


@attempt("read_secret_by_dotdot", kind="files")
def read_secret_by_dotdot(scene: Scene) -> object:
    """Climb out of the own folder."""
    return content(scene.own("../" + os.path.relpath(scene.secret, os.path.dirname(scene.data))))


@attempt("read_secret_by_hardlink", kind="files")
def read_secret_by_hardlink(scene: Scene) -> object:
    """Give the file a second name where reading is allowed."""
    os.link(scene.secret, scene.own("linked"))
    return content(scene.own("linked"))


@attempt("read_secret_by_linkat_of_a_handle", kind="files")
def read_secret_by_linkat_of_a_handle(scene: Scene) -> object:
    """Link a path-only descriptor into the own folder."""
    fd = os.open(scene.secret, os.O_PATH)
    link_descriptor(fd, scene.own("linked"))
    return content(scene.own("linked"))


@attempt("read_secret_by_rename", kind="files")
def read_secret_by_rename(scene: Scene) -> object:
    """Move the file to where reading is allowed."""
    os.rename(scene.secret, scene.own("moved"))
    return content(scene.own("moved"))


@attempt("read_secret_by_exchange", kind="files")
def read_secret_by_exchange(scene: Scene) -> object:
    """Swap the file with one of one's own."""
    with open(scene.own("mine"), "w", encoding="utf-8") as file:
        file.write("nothing")
    names = (ctypes.c_char_p(scene.secret.encode()), ctypes.c_char_p(scene.own("mine").encode()))
    call("renameat2", AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    return content(scene.own("mine"))


@attempt("read_secret_by_proc_self_root", kind="files")
def read_secret_by_proc_self_root(scene: Scene) -> object:
    """Begin the path at the root that the kernel shows in /proc."""
    return content("/proc/self/root" + scene.secret)


@attempt("read_secret_by_proc_self_cwd", kind="files")
def read_secret_by_proc_self_cwd(scene: Scene) -> object:
    """Begin the path at the working folder that the kernel shows in /proc."""
    os.chdir(scene.data)
    return content("/proc/self/cwd/" + os.path.relpath(scene.secret, scene.data))


@attempt("read_secret_by_proc_thread_root", kind="files")
def read_secret_by_proc_thread_root(scene: Scene) -> object:
    """Begin the path at the root of a thread."""
    return content("/proc/thread-self/root" + scene.secret)


@attempt("read_secret_by_proc_1_root", kind="files")
def read_secret_by_proc_1_root(scene: Scene) -> object:
    """Begin the path at the root of the first process."""
    return content("/proc/1/root" + scene.secret)


@attempt("read_secret_by_proc_parent_root", kind="files")
def read_secret_by_proc_parent_root(scene: Scene) -> object:
    """Begin the path at the root of the process that started this one."""
    return content(f"/proc/{os.getppid()}/root{scene.secret}")


@attempt("read_secret_by_folder_descriptor", kind="files")
def read_secret_by_folder_descriptor(scene: Scene) -> object:
    """Open it relative to a path-only descriptor of its folder."""
    folder = os.open(scene.home, os.O_PATH | os.O_DIRECTORY)
    return os.read(os.open("secret.txt", os.O_RDONLY, dir_fd=folder), 4096)


@attempt("read_secret_by_chdir", kind="files")
def read_secret_by_chdir(scene: Scene) -> object:
    """Go there and open it by its bare name."""
    os.chdir(scene.home)
    return content("secret.txt")


@attempt("read_secret_by_reopening_a_path", kind="files")
def read_secret_by_reopening_a_path(scene: Scene) -> object:
    """Open it for nothing, then open the descriptor's entry in /proc for reading."""
    fd = os.open(scene.secret, os.O_PATH)
    return content(f"/proc/self/fd/{fd}")


@attempt("read_secret_by_openat2", kind="files")
def read_secret_by_openat2(scene: Scene) -> object:
    """Use the younger system call, which old filters do not know."""
    import struct

    how = ctypes.create_string_buffer(struct.pack("QQQ", os.O_RDONLY, 0, 0))
    fd = call("openat2", AT_FDCWD, ctypes.c_char_p(scene.secret.encode()), how, 24)
    return os.read(fd, 4096)


@attempt("read_secret_by_mapping", kind="files")
def read_secret_by_mapping(scene: Scene) -> object:
    """Map it into memory."""
    import mmap

    with open(scene.secret, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        return bytes(mapped)


@attempt("read_secret_by_the_kernel_sending_it", kind="files")
def read_secret_by_the_kernel_sending_it(scene: Scene) -> object:
    """Let sendfile() move the bytes."""
    target = os.open(scene.own("copy"), os.O_RDWR | os.O_CREAT, 0o600)
    os.sendfile(target, os.open(scene.secret, os.O_RDONLY), 0, 4096)
    return content(scene.own("copy"))


@attempt("read_secret_by_loading_it", kind="files")
def read_secret_by_loading_it(scene: Scene) -> object:
    """Let the loader look into it: its complaint tells "invalid ELF header" only of what it could read."""
    try:
        ctypes.CDLL(scene.secret)
    except OSError as error:
        if "invalid ELF header" in str(error) or "too short" in str(error):
            return content(scene.secret)
    return None


@attempt("read_secret_by_a_chroot", kind="files")
def read_secret_by_a_chroot(scene: Scene) -> object:
    """Make the home the root folder."""
    os.chroot(scene.home)
    return content("/secret.txt")


@attempt("read_secret_by_a_bind_mount", kind="files")
def read_secret_by_a_bind_mount(scene: Scene) -> object:
    """Mount the home into the own folder, in a mount namespace where one is to be had."""
    for flags in (0x00020000, 0x10020000):  # NEWNS; with NEWUSER
        if LIBC.unshare(flags) == 0:
            break
    os.mkdir(scene.own("mounted"))
    needs(
        LIBC.mount(b"none", b"/", None, 0x44000, None)
    )  # private and recursive: the machine keeps its mounts
    needs(LIBC.mount(scene.home.encode(), scene.own("mounted").encode(), None, 4096, None))
    return content(scene.own("mounted/secret.txt"))


@attempt("read_secret_by_file_handle", kind="files")
def read_secret_by_file_handle(scene: Scene) -> object:
    """Open it by the number that its file system knows it by, from any descriptor on the same one."""
    import struct

    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 8 + 128)
    mount = ctypes.c_int()
    path = ctypes.c_char_p(scene.secret.encode())
    call("name_to_handle_at", AT_FDCWD, path, handle, ctypes.byref(mount), 0)
    fd = call("open_by_handle_at", os.open(scene.data, os.O_RDONLY), handle, os.O_RDONLY)
    return os.read(fd, 4096)


@attempt("read_secret_by_copying_the_folder", kind="files")
def read_secret_by_copying_the_folder(scene: Scene) -> object:
    """Copy a folder as people do."""
    import shutil

    shutil.copytree(f"{scene.home}/documents", scene.own("documents"))
    return content(scene.own("documents/diary.txt"))


@attempt("read_key_store", kind="files")
def read_key_store(scene: Scene) -> object:
    """Read the host's keys."""
    return content(f"{scene.home}/llm/keys.json")


@attempt("read_key_store_above", kind="files")
def read_key_store_above(scene: Scene) -> object:
    """Read the keys of the very host that started it, whose folder its own one lies in."""
    return content(scene.own("../../../keys.json"))


@attempt("read_grants", kind="files")
def read_grants(scene: Scene) -> object:
    """Read what the user has granted to whom."""
    return content(f"{scene.home}/llm/grants.json")


@attempt("read_log_database", kind="files")
def read_log_database(scene: Scene) -> object:
    """Read what the user has asked other plugins."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"file:{scene.home}/llm/logs.db?immutable=1", uri=True)) as database:
        return database.execute("select prompt from responses").fetchall()


@attempt("read_other_plugin", kind="files")
def read_other_plugin(scene: Scene) -> object:
    """Read another plugin's data."""
    return content(f"{scene.home}/llm/plugins/other/data.txt")


@attempt("read_ssh_key", kind="files")
def read_ssh_key(scene: Scene) -> object:
    """Read a private key."""
    return content(f"{scene.home}/.ssh/id_ed25519")


@attempt("read_shell_history", kind="files")
def read_shell_history(scene: Scene) -> object:
    """Read what was typed into the shell."""
    return content(f"{scene.home}/.bash_history")


@attempt("list_home", kind="files")
def list_home(scene: Scene) -> object:
    """List the names in the home folder; one of them is a secret."""
    return os.listdir(scene.home)


@attempt("list_home_by_globbing", kind="files")
def list_home_by_globbing(scene: Scene) -> object:
    """Walk through everything below the home folder."""
    return [name for _, folders, files in os.walk(scene.home) for name in [*folders, *files]]


@attempt("read_password_hashes", kind="files", takes_word=True)
def read_password_hashes(scene: Scene) -> object:
    """Read the system's password hashes, as root can."""
    return bool(content("/etc/shadow"))


@attempt("read_kernel_log", kind="files", takes_word=True)
def read_kernel_log(scene: Scene) -> object:
    """Read the kernel's messages from its device."""
    return bool(os.read(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK), 8192))


@attempt("read_a_descriptor_left_open", kind="files")
def read_a_descriptor_left_open(scene: Scene) -> object:
    """Look through the descriptors that the host forgot to close."""
    found = b""
    for fd in range(3, 256):
        try:
            found += os.pread(fd, 4096, 0)
        except OSError:
            continue
    return found


@attempt("read_a_folder_left_open", kind="files")
def read_a_folder_left_open(scene: Scene) -> object:
    """Climb from a folder's descriptor that the host forgot to close."""
    found = b""
    for fd in range(3, 256):
        try:
            found += os.read(os.open("secret.txt", os.O_RDONLY, dir_fd=fd), 4096)
        except OSError:
            continue
    return found


@attempt("find_files_left_open", kind="files", takes_word=True)
def find_files_left_open(scene: Scene) -> object:
    """Find descriptors that lead to anything but pipes, sockets and the empty device."""
    targets: list[str] = []
    for fd in range(3, 256):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    return [target for target in targets if not target.startswith(("pipe:", "socket:", "/dev/null"))]


@attempt("read_extended_attribute", kind="names")
def read_extended_attribute(scene: Scene) -> object:
    """Read what is written beside a file's content: needs no opening."""
    return os.getxattr(scene.secret, "user.note")


@attempt("stat_secret", kind="names", takes_word=True)
def stat_secret(scene: Scene) -> object:
    """Learn the size of a file that cannot be opened."""
    return os.stat(scene.secret).st_size > 0


@attempt("access_secret", kind="names", takes_word=True)
def access_secret(scene: Scene) -> object:
    """Ask whether a file exists."""
    return os.access(scene.secret, os.F_OK)


@attempt("number_of_secret", kind="names", takes_word=True)
def number_of_secret(scene: Scene) -> object:
    """Learn the number by which the file system knows a file."""
    import struct

    handle, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 8 + 128), ctypes.c_int()
    path = ctypes.c_char_p(scene.secret.encode())
    return call("name_to_handle_at", AT_FDCWD, path, handle, ctypes.byref(mount), 0) == 0


@attempt("read_link_target", kind="names")
def read_link_target(scene: Scene) -> object:
    """Read where a link points; the name there is a secret."""
    return os.readlink(f"{scene.home}/link")


@attempt("chdir_home", kind="names", takes_word=True)
def chdir_home(scene: Scene) -> object:
    """Make the home the working folder."""
    os.chdir(scene.home)
    return os.getcwd() == os.path.realpath(scene.home)


@attempt("watch_home", kind="names", takes_word=True)
def watch_home(scene: Scene) -> object:
    """Have the kernel tell which files the user touches from now on."""
    watcher = needs(LIBC.inotify_init())
    return needs(LIBC.inotify_add_watch(watcher, scene.home.encode(), IN_ALL_EVENTS)) > 0


@attempt("receive_a_descriptor_by_path", kind="files")
def receive_a_descriptor_by_path(scene: Scene) -> object:
    """Receive a descriptor of the secret from a helper outside that would hand it over."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(f"{scene.home}/broker.sock")
        _, fds, _, _ = socket.recv_fds(line, 16, 1)
        return os.pread(fds[0], 4096, 0)
