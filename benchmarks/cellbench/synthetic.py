"""Writes plugins straight into an environment's package folder, as an installer would leave them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SMALL_WHEEL", "add_trivial_plugins", "write_small_wheel"]

SMALL_WHEEL = "bench_small-1.0-py3-none-any.whl"

_MODULE = '''"""A model that answers with nothing: what is left is the cost of being a plugin."""

from cellwall_sdk import Model, hookimpl


class Empty(Model):
    model_id = "{model}"

    def execute(self, prompt, response):
        yield ""


@hookimpl
def register_models(register):
    register(Empty())
'''


def add_trivial_plugins(site_packages: Path, count: int) -> None:
    """Add `count` installed distributions, each with one module and one model that does nothing."""
    for number in range(count):
        module = f"bench_trivial_{number:02}"
        metadata = site_packages / f"{module}-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        dist = module.replace("_", "-")
        files = {
            f"{module}.py": _MODULE.format(model=dist),
            f"{metadata.name}/METADATA": f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n",
            f"{metadata.name}/INSTALLER": "bench\n",
            f"{metadata.name}/entry_points.txt": f"[llm]\n{dist} = {module}\n",
        }
        record = "".join(f"{name},,\n" for name in [*files, f"{metadata.name}/RECORD"])
        for name, text in {**files, f"{metadata.name}/RECORD": record}.items():
            (site_packages / name).write_text(text)


def write_small_wheel(folder: Path) -> None:
    """Write a plugin with one module, as a wheel that needs the SDK and nothing else."""
    info = SMALL_WHEEL.removesuffix("-py3-none-any.whl") + ".dist-info"
    needs = "Requires-Dist: cellwall-sdk\n"
    files = {
        "bench_small.py": _MODULE.format(model="bench-small"),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: bench-small\nVersion: 1.0\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[llm]\nbench-small = bench_small\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / SMALL_WHEEL, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(name, text)
