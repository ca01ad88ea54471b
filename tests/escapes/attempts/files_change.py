"""Changing what belongs to the user: content, names, rights and times, and what will be run later."""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct

from ._registry import attempt
from ._system import LIBC, call, link_descriptor, needs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_NODUMP = 0x8008_6601, 0x4008_6602, 0x40


def write(path: str, text: str = "written by a plugin\n") -> None:
    """Add to a file, which is made if it does not exist."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


@attempt("write_new_file", kind="files")
def write_new_file(scene: Scene) -> None:
    """Make a file in the home folder."""
    write(f"{scene.home}/new.txt")


@attempt("write_secret", kind="files")
def write_secret(scene: Scene) -> None:
    """Open for writing only: reading may be what is refused."""
    os.write(os.open(scene.secret, os.O_WRONLY), b"X")


@attempt("write_by_symlink", kind="files")
def write_by_symlink(scene: Scene) -> None:
    """Write through a link in the own folder."""
    os.symlink(f"{scene.home}/new.txt", scene.own("link"))
    write(scene.own("link"))


@attempt("write_by_rename_out", kind="files")
def write_by_rename_out(scene: Scene) -> None:
    """Make the file at home, then move it out."""
    write(scene.own("mine"))
    os.rename(scene.own("mine"), f"{scene.home}/new.txt")


@attempt("write_by_link_out", kind="files")
def write_by_link_out(scene: Scene) -> None:
    """Make the file at home, then give it a name outside."""
    write(scene.own("mine"))
    os.link(scene.own("mine"), f"{scene.home}/new.txt")


@attempt("write_by_unnamed_file", kind="files")
def write_by_unnamed_file(scene: Scene) -> None:
    """Make a file without a name in the home, then name it."""
    fd = os.open(scene.home, os.O_TMPFILE | os.O_WRONLY, 0o600)
    link_descriptor(fd, f"{scene.home}/new.txt")


@attempt("write_by_proc_self_fd", kind="files")
def write_by_proc_self_fd(scene: Scene) -> None:
    """Open a readable file again for writing, through /proc."""
    fd = os.open(scene.readable, os.O_RDONLY)
    os.write(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), b"X")


@attempt("write_own_code", kind="files")
def write_own_code(scene: Scene) -> None:
    """Change the code that it may read, to be run next time."""
    write(scene.readable)


@attempt("write_compiled_code", kind="files")
def write_compiled_code(scene: Scene) -> None:
    """Leave a compiled module beside the code that it may read."""
    write(f"{scene.code}/__pycache__/readable.pyc")


@attempt("delete_own_code", kind="files")
def delete_own_code(scene: Scene) -> None:
    """Delete a file that it may read."""
    os.unlink(scene.readable)


@attempt("make_folder", kind="files")
def make_folder(scene: Scene) -> None:
    """Make a folder in the home."""
    os.mkdir(f"{scene.home}/folder")


@attempt("make_symlink_outside", kind="files")
def make_symlink_outside(scene: Scene) -> None:
    """Make a link in the home."""
    os.symlink("/etc/passwd", f"{scene.home}/new-link")


@attempt("make_fifo_outside", kind="files")
def make_fifo_outside(scene: Scene) -> None:
    """Make a named pipe in the home."""
    os.mkfifo(f"{scene.home}/fifo")


@attempt("make_socket_outside", kind="files")
def make_socket_outside(scene: Scene) -> None:
    """Make a socket's name in the home."""
    os.mknod(f"{scene.home}/new.sock", stat.S_IFSOCK | 0o600)


@attempt("truncate_by_path", kind="files")
def truncate_by_path(scene: Scene) -> None:
    """Empty a file without opening it."""
    os.truncate(scene.secret, 0)


@attempt("truncate_by_opening", kind="files")
def truncate_by_opening(scene: Scene) -> None:
    """Empty a file by opening it."""
    os.open(scene.secret, os.O_WRONLY | os.O_TRUNC)


@attempt("truncate_readable", kind="files")
def truncate_readable(scene: Scene) -> None:
    """Empty a file that it may read."""
    os.truncate(scene.readable, 0)


@attempt("truncate_readable_by_opening", kind="files")
def truncate_readable_by_opening(scene: Scene) -> None:
    """Empty a file by opening it to read, for which some rules ask for no right to write."""
    os.open(scene.readable, os.O_RDONLY | os.O_TRUNC)


@attempt("set_flags_of_readable", kind="files")
def set_flags_of_readable(scene: Scene) -> None:
    """Set a flag of the file system on a file that is open for reading only: leave it out of backups."""
    fd = os.open(scene.readable, os.O_RDONLY)
    flags = struct.unpack("l", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8)))[0]
    fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("l", flags | FS_NODUMP))


@attempt("chmod_secret", kind="files")
def chmod_secret(scene: Scene) -> None:
    """Open the secret to everybody."""
    os.chmod(scene.secret, 0o666)


@attempt("chmod_home", kind="files")
def chmod_home(scene: Scene) -> None:
    """Lock the user out of the own home folder."""
    os.chmod(scene.home, 0o000)


@attempt("chmod_by_younger_call", kind="files")
def chmod_by_younger_call(scene: Scene) -> None:
    """Use the system call of kernel 6.6, which old filters do not know."""
    call("fchmodat2", -100, ctypes.c_char_p(scene.secret.encode()), 0o666, 0)


@attempt("fchmod_readable", kind="files")
def fchmod_readable(scene: Scene) -> None:
    """Take the rights from a file that is open for reading only."""
    os.fchmod(os.open(scene.readable, os.O_RDONLY), 0o000)


@attempt("chmod_by_proc_self_fd", kind="files")
def chmod_by_proc_self_fd(scene: Scene) -> None:
    """Change rights through a path-only descriptor."""
    fd = os.open(scene.secret, os.O_PATH)
    os.chmod(f"/proc/self/fd/{fd}", 0o666)


@attempt("chown_secret", kind="files")
def chown_secret(scene: Scene) -> None:
    """Name an owner: the same one, which anybody may; the kernel writes down that it was done."""
    os.chown(scene.secret, os.getuid(), os.getgid())


@attempt("fchown_readable", kind="files")
def fchown_readable(scene: Scene) -> None:
    """Likewise for a file that is open for reading only."""
    os.fchown(os.open(scene.readable, os.O_RDONLY), os.getuid(), os.getgid())


@attempt("set_times", kind="files")
def set_times(scene: Scene) -> None:
    """Make a file look old."""
    os.utime(scene.secret, (1, 1))


@attempt("set_times_of_readable", kind="files")
def set_times_of_readable(scene: Scene) -> None:
    """Make a file look old that is open for reading only."""
    os.utime(os.open(scene.readable, os.O_RDONLY), (1, 1))


@attempt("set_extended_attribute", kind="files")
def set_extended_attribute(scene: Scene) -> None:
    """Write beside a file's content."""
    os.setxattr(scene.secret, "user.mark", b"1")


@attempt("set_extended_attribute_of_readable", kind="files")
def set_extended_attribute_of_readable(scene: Scene) -> None:
    """Write beside the content of a file that is open for reading only."""
    os.setxattr(os.open(scene.readable, os.O_RDONLY), "user.mark", b"1")


@attempt("remove_extended_attribute", kind="files")
def remove_extended_attribute(scene: Scene) -> None:
    """Delete what is written beside a file's content."""
    os.removexattr(scene.secret, "user.note")


@attempt("delete_file", kind="files")
def delete_file(scene: Scene) -> None:
    """Delete a file."""
    os.unlink(f"{scene.home}/documents/diary.txt")


@attempt("delete_tree", kind="files")
def delete_tree(scene: Scene) -> None:
    """Delete a folder with everything in it."""
    import shutil

    shutil.rmtree(f"{scene.home}/documents")


@attempt("rename_in_home", kind="files")
def rename_in_home(scene: Scene) -> None:
    """Move a file within the home."""
    os.rename(f"{scene.home}/documents/diary.txt", f"{scene.home}/documents/gone.txt")


@attempt("lock_log_database", kind="files", takes_word=True)
def lock_log_database(scene: Scene) -> object:
    """Hold the log database so that nobody else can write to it."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"file:{scene.home}/llm/logs.db?mode=rw", uri=True)) as database:
        database.execute("begin exclusive")
        return database.in_transaction


@attempt("lease_readable", kind="files", takes_word=True)
def lease_readable(scene: Scene) -> object:
    """Let everybody wait who opens a file to write that the plugin may only read."""
    fd = os.open(scene.readable, os.O_RDONLY)
    return fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK) == 0


@attempt("lock_secret", kind="files", takes_word=True)
def lock_secret(scene: Scene) -> object:
    """Take the lock of a file that may only be read."""
    fcntl.flock(os.open(scene.secret, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


@attempt("forge_grants", kind="files")
def forge_grants(scene: Scene) -> None:
    """Grant itself more for the next time."""
    write(f"{scene.home}/llm/grants.json")


@attempt("replace_key_store", kind="files")
def replace_key_store(scene: Scene) -> None:
    """Put other keys in the place of the user's."""
    write(scene.own("keys.json"))
    os.replace(scene.own("keys.json"), f"{scene.home}/llm/keys.json")


@attempt("forge_own_log", kind="files")
def forge_own_log(scene: Scene) -> None:
    """Write into the file that the host keeps of what it has printed, past the host's care for terminals."""
    write(scene.own("../stderr.log"), "\x1b[2J\n")


@attempt("make_folder_of_another_plugin", kind="files")
def make_folder_of_another_plugin(scene: Scene) -> None:
    """Make the folder of a plugin to come, with what it shall find there."""
    os.makedirs(scene.own("../../other/data"))


@attempt("replace_own_folder", kind="files")
def replace_own_folder(scene: Scene) -> None:
    """Put a link in the place of its own folder, for the host to follow."""
    os.rename(scene.data, scene.own("../moved"))
    os.symlink(scene.home, scene.data)


@attempt("write_other_plugin", kind="files")
def write_other_plugin(scene: Scene) -> None:
    """Change another plugin's data."""
    write(f"{scene.home}/llm/plugins/other/data.txt")


@attempt("write_shell_start", kind="files")
def write_shell_start(scene: Scene) -> None:
    """Add a line to what the shell runs."""
    write(f"{scene.home}/.bashrc", "# true\n")


@attempt("write_authorized_keys", kind="files")
def write_authorized_keys(scene: Scene) -> None:
    """Let somebody log in."""
    write(f"{scene.home}/.ssh/authorized_keys")


@attempt("write_autostart", kind="files")
def write_autostart(scene: Scene) -> None:
    """Have something started with the desktop."""
    write(f"{scene.home}/.config/autostart/plugin.desktop")


@attempt("write_git_hook", kind="files")
def write_git_hook(scene: Scene) -> None:
    """Have something started with the next commit."""
    write(f"{scene.home}/work/.git/hooks/pre-commit")


@attempt("write_program_folder", kind="files")
def write_program_folder(scene: Scene) -> None:
    """Put a program where the shell looks for them."""
    os.close(os.open(f"{scene.home}/.local/bin/ls", os.O_CREAT | os.O_WRONLY, 0o755))


@attempt("poison_site_folder", kind="files")
def poison_site_folder(scene: Scene) -> None:
    """Leave a file that the host's interpreter runs at its start."""
    write(f"{scene.home}/site/evil.pth", "import os\n")


@attempt("write_shared_tmp", kind="files")
def write_shared_tmp(scene: Scene) -> None:
    """Leave a file where everybody's programs look."""
    write(f"/tmp/{scene.mark}")


@attempt("write_var_tmp", kind="files")
def write_var_tmp(scene: Scene) -> None:
    """Leave a file that outlives the next start of the machine."""
    write(f"/var/tmp/{scene.mark}")


@attempt("shared_memory_outlives", kind="files")
def shared_memory_outlives(scene: Scene) -> None:
    """Leave shared memory behind, by its name."""
    write(f"/dev/shm/{scene.mark}")


@attempt("open_terminal_of_another", kind="files")
def open_terminal_of_another(scene: Scene) -> None:
    """Write to a terminal of the user's."""
    os.write(os.open(scene.terminal, os.O_WRONLY | os.O_NOCTTY), b"plugin at your terminal\n")


@attempt("write_kernel_setting", kind="files", takes_word=True)
def write_kernel_setting(scene: Scene) -> object:
    """Write a setting of the kernel, as root can: the value that it has."""
    with open("/proc/sys/kernel/printk_ratelimit", "r+", encoding="ascii") as setting:
        value = setting.read()
        setting.seek(0)
        return setting.write(value) > 0


@attempt("write_kernel_log", kind="files", takes_word=True)
def write_kernel_log(scene: Scene) -> object:
    """Write a line among the kernel's messages, as root can."""
    return os.write(os.open("/dev/kmsg", os.O_WRONLY), b"<7>cellwall: a test of escapes\n") > 0


@attempt("set_uid_file", kind="files")
def set_uid_file(scene: Scene) -> None:
    """Make a file of its own run as its owner for everybody."""
    os.close(os.open(scene.own("program"), os.O_CREAT | os.O_WRONLY, 0o700))
    os.chmod(scene.own("program"), 0o4755)


@attempt("set_uid_file_at_birth", kind="files")
def set_uid_file_at_birth(scene: Scene) -> None:
    """Likewise, with the rights that the file is made with."""
    os.umask(0)
    os.close(os.open(scene.own("program"), os.O_CREAT | os.O_WRONLY, 0o4755))


@attempt("set_uid_file_by_descriptor", kind="files")
def set_uid_file_by_descriptor(scene: Scene) -> None:
    """Likewise, through a descriptor."""
    os.fchmod(os.open(scene.own("program"), os.O_CREAT | os.O_WRONLY, 0o700), 0o6755)


@attempt("device_node", kind="files")
def device_node(scene: Scene) -> None:
    """Make a device of its own: the machine's memory."""
    os.mknod(scene.own("memory"), stat.S_IFCHR | 0o600, os.makedev(1, 1))


@attempt("mount_over_home", kind="files", takes_word=True)
def mount_over_home(scene: Scene) -> object:
    """Hide the home behind an empty folder, in this process's own view of it."""
    if LIBC.unshare(0x00020000) != 0:
        needs(LIBC.unshare(0x10020000))  # with a user namespace, for who is not root
    needs(LIBC.mount(b"none", b"/", None, 0x44000, None))
    needs(LIBC.mount(b"none", scene.home.encode(), b"tmpfs", 0, None))
    return not os.path.exists(scene.secret)


@attempt("bind_socket_in_home", kind="files")
def bind_socket_in_home(scene: Scene) -> None:
    """Wait at a place in the home for programs that would connect there."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.bind(f"{scene.home}/new.sock")
