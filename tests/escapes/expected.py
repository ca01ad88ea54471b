"""What is expected to get out, in each setting, and why; and what a system may refuse even where no wall is.

Every name here is a promise that we do not make: a shorter table is better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.escapes.running import Setting

__all__ = ["REFUSED_BARE", "SUCCEED_BARE_AT_LEAST", "may_escape", "must_escape"]

SUCCEED_BARE_AT_LEAST = 180
"""How many attempts succeed without a wall on every machine; each that does not proves nothing there."""

NOTHING: frozenset[str] = frozenset()

NAMES = frozenset({"access_secret", "chdir_home", "read_link_target", "stat_secret"})
"""Without bubblewrap a plugin can learn of a file whose name it knows that it exists, how large it is, and
where it leads if it is a link (sandbox.md §14); and it may stand in any folder, without seeing into it."""

UNCOUNTED_BY_ROOT = frozenset({"many_threads"})
"""The kernel does not count the threads of root."""

PROGRAMS = frozenset(
    {
        "become_program",
        "become_program_by_descriptor",
        "become_program_by_loader",
        "become_program_in_memory",
        "fork",
        "fork_by_clone",
        "fork_by_number",
        "run_program",
        "run_program_by_posix_spawn",
        "run_program_by_shell",
    }
)
"""What `spawn` grants: programs, behind the same wall."""

MANY_PROCESSES = frozenset({"many_processes"})
"""Root's are not counted; a user's are, but on a busy machine the count begins high (sandbox.md §6)."""

NETWORK = frozenset(
    {
        "listen",
        "listen_without_binding",
        "tcp",
        "tcp_after_disconnecting",
        "tcp_by_mapped_address",
        "tcp_fast_open",
        "tcp_fast_open_by_message",
        "tcp_without_waiting",
        "udp",
        "udp_by_mapped_address",
    }
)
"""What `network = "any"` grants, this machine's own services included."""


def must_escape(setting: Setting, *, has_bubblewrap: bool) -> frozenset[str]:
    """Return what gets out in a setting; if one of these no longer does, the table is to be made shorter."""
    names = NOTHING if has_bubblewrap else NAMES
    network = NETWORK if setting.network == "any" else NOTHING
    programs = PROGRAMS if setting.spawn else NOTHING
    return names | network | programs


def may_escape(setting: Setting) -> frozenset[str]:
    """Return what may get out as well, depending on the machine."""
    threads = UNCOUNTED_BY_ROOT if setting.is_root else NOTHING
    return threads | (MANY_PROCESSES | UNCOUNTED_BY_ROOT if setting.spawn else NOTHING)


NEEDS_ROOT = "needs rights that only root has, or that even root lacks in a container"
NEEDS_NAMESPACES = "needs user namespaces, which some systems keep from ordinary users and containers"
NEEDS_SETTING = "needs a setting of the kernel that many systems have switched off"
NEEDS_KERNEL = "needs a part of the kernel, or a processor, that not everybody has"
NEEDS_FILES = "needs a file system that keeps such attributes"
NEEDS_ROOM = "needs more room in that folder than some machines have"
NEEDS_NO_LIMIT = "needs that nobody has lowered that limit before us"

REFUSED_BARE: dict[str, str] = {
    "accounting": NEEDS_ROOT,
    "advise_host_memory": NEEDS_ROOT,
    "be_the_last_to_be_killed": NEEDS_ROOT,
    "become_another_user": NEEDS_ROOT,
    "bpf": NEEDS_ROOT,
    "chmod_by_younger_call": NEEDS_KERNEL,
    "chroot": NEEDS_ROOT,
    "connect_by_ring": NEEDS_SETTING,
    "copy_a_mount": NEEDS_NAMESPACES,
    "crypto_socket": NEEDS_KERNEL,
    "device_node": NEEDS_ROOT,
    "enter_namespace": NEEDS_ROOT,
    "enter_namespace_by_process": NEEDS_ROOT,
    "favour_oneself": NEEDS_ROOT,
    "fork_by_number": NEEDS_KERNEL,
    "half_old_machine_call": NEEDS_KERNEL,
    "hold_capabilities": NEEDS_ROOT,
    "hold_memory_in_place": NEEDS_ROOT,
    "io_uring": NEEDS_SETTING,
    "kernel_messages": NEEDS_ROOT,
    "keyring": NEEDS_SETTING,
    "leave_a_core": NEEDS_NO_LIMIT,
    "load_kernel_module": NEEDS_ROOT,
    "load_new_kernel": NEEDS_ROOT,
    "lease_readable": NEEDS_FILES,
    "local_descriptor_table": NEEDS_KERNEL,
    "many_descriptors": NEEDS_NO_LIMIT,
    "migrate_pages": NEEDS_KERNEL,
    "mount": NEEDS_NAMESPACES,
    "mount_by_younger_calls": NEEDS_NAMESPACES,
    "mount_over_home": NEEDS_NAMESPACES,
    "move_host_pages": NEEDS_KERNEL,
    "much_memory_in_shared_folder": NEEDS_ROOM,
    "netlink_audit": NEEDS_KERNEL,
    "network_namespace": NEEDS_NAMESPACES,
    "number_of_secret": NEEDS_FILES,
    "odd_socket_families": NEEDS_KERNEL,
    "old_machine_call": NEEDS_KERNEL,
    "packet_socket": NEEDS_ROOT,
    "perf_event": NEEDS_SETTING,
    "ping_socket": NEEDS_SETTING,
    "pivot_root": NEEDS_ROOT,
    "ports_of_devices": NEEDS_KERNEL,
    "posix_messages": NEEDS_KERNEL,
    "quotas": NEEDS_ROOT,
    "raise_own_limits": NEEDS_NO_LIMIT,
    "raise_own_limits_by_number": NEEDS_NO_LIMIT,
    "raw_socket": NEEDS_ROOT,
    "read_extended_attribute": NEEDS_FILES,
    "read_kernel_log": NEEDS_ROOT,
    "read_password_hashes": NEEDS_ROOT,
    "read_secret_by_a_bind_mount": NEEDS_NAMESPACES,
    "read_secret_by_a_chroot": NEEDS_ROOT,
    "read_secret_by_file_handle": NEEDS_ROOT,
    "read_secret_by_proc_1_root": NEEDS_ROOT,
    "read_secret_by_ring": NEEDS_SETTING,
    "reboot": NEEDS_ROOT,
    "remove_extended_attribute": NEEDS_FILES,
    "request_key": NEEDS_SETTING,
    "sctp": NEEDS_KERNEL,
    "secret_memory": NEEDS_KERNEL,
    "session_keyring": NEEDS_SETTING,
    "set_clock": NEEDS_ROOT,
    "set_extended_attribute": NEEDS_FILES,
    "set_extended_attribute_of_readable": NEEDS_FILES,
    "set_flags_of_readable": NEEDS_FILES,
    "set_host_name": NEEDS_ROOT,
    "swap": NEEDS_ROOT,
    "tcp_by_other_protocol": NEEDS_KERNEL,
    "type_by_virtual_console": NEEDS_SETTING,
    "type_into_terminal": NEEDS_SETTING,
    "type_into_terminal_past_a_filter": NEEDS_SETTING,
    "udp_lite": NEEDS_KERNEL,
    "user_namespace": NEEDS_NAMESPACES,
    "user_namespace_by_clone": NEEDS_NAMESPACES,
    "user_namespace_by_younger_clone": NEEDS_NAMESPACES,
    "userfaultfd": NEEDS_SETTING,
    "vsock": NEEDS_KERNEL,
    "watch_file_system": NEEDS_KERNEL,
    "write_kernel_log": NEEDS_ROOT,
    "write_kernel_setting": NEEDS_ROOT,
}
"""Attempts that a system may stop where there is no wall, and what they need."""
