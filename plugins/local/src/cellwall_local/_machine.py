"""What a machine must have before llama.cpp can run on it, and the sentence when it does not."""

from __future__ import annotations

from pathlib import Path

__all__ = ["advice_for_import_error", "missing_cpu_features", "read_cpu_info"]

# The wheel for x86-64 is compiled for these (CPUs since about 2013); without them the first prompt would be
# an illegal instruction.
_NEEDED = ("avx2", "fma", "bmi2")
_PACKAGES = {"libgomp": "libgomp1", "libstdc++": "libstdc++6"}


def read_cpu_info() -> str:
    """Return the kernel's description of an x86-64 Linux CPU; "" on any other machine."""
    import platform

    if platform.machine() not in ("x86_64", "AMD64"):
        return ""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def missing_cpu_features(cpu_info: str) -> list[str]:
    """Return what the CPU lacks; nothing when the description does not say.

    Args:
        cpu_info: the text of `/proc/cpuinfo`.
    """
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            flags = set(value.split())
            return [feature for feature in _NEEDED if feature not in flags]
    return []


def advice_for_import_error(error: ImportError) -> str:
    """Say what to do when the package xllamacpp cannot be loaded."""
    text = str(error)
    for library, package in _PACKAGES.items():
        if library in text:
            return f"The system library {library} is missing; install it with `apt-get install {package}`."
    if isinstance(error, ModuleNotFoundError) and error.name == "xllamacpp":
        return "The package xllamacpp is missing from this environment; install cellwall-local again."
    return f"llama.cpp cannot be loaded on this machine: {text}."
