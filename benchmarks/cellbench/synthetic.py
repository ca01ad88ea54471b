"""Writes plugins straight into an environment's package folder, as an installer would leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["add_trivial_plugins"]

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
