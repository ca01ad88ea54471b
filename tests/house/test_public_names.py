"""What the packages show to the world is listed, complete and real (that it is sorted is for ruff to say)."""

from __future__ import annotations

import ast
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from tests.house.checkout import ROOT, sources

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = sources("sdk/src", "kernel/src", *(str(path) for path in ROOT.glob("plugins/*/src")))


RUN_BY_PATH = "cellwall_kernel.bootstrap"
"""The one module that is started as a file in the child and imported by nobody."""


def module_name(path: Path) -> str:
    """Give the import name of a source file."""
    parts = path.with_suffix("").parts
    dotted = parts[len(parts) - parts[::-1].index("src") :]
    return ".".join(dotted).removesuffix(".__init__")


def is_public(path: Path) -> bool:
    """Whether a file is imported, and no part of its import name is private."""
    name = module_name(path)
    return name != RUN_BY_PATH and not any(part.startswith("_") for part in name.split("."))


def listed(tree: ast.Module) -> list[str] | None:
    """Give the names in a module's `__all__`; None when it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == [
            "__all__"
        ]:
            return list(ast.literal_eval(node.value))
    return None


def defined(tree: ast.Module) -> set[str]:
    """Name the public functions and classes that a module defines itself."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


@pytest.mark.parametrize("package", ["cellwall_wire", "cellwall_sdk"])
def test_every_listed_name_of_a_package_exists(package: str) -> None:
    """A name in `__all__` that cannot be imported fails for the author who needs it."""
    module = import_module(package)

    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("package", ["cellwall_wire", "cellwall_sdk"])
def test_a_package_shows_nothing_that_it_does_not_list(package: str) -> None:
    """Names that are merely there would be used, and could then never change."""
    module = import_module(package)
    folder = ROOT / "sdk/src" / package
    submodules = {path.stem for path in folder.glob("*.py")}
    submodules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    shown = {name for name in dir(module) if not name.startswith("_")}

    assert shown - set(module.__all__) - submodules <= {"TYPE_CHECKING", "annotations", "Any"}


@pytest.mark.parametrize("path", [path for path in SOURCES if is_public(path)], ids=module_name)
def test_a_public_module_lists_its_names(path: Path) -> None:
    """House rule: public names are listed in `__all__`, all else lives in modules with an underscore."""
    tree = ast.parse(path.read_text("utf-8"))
    names = listed(tree)
    if names is None:
        # A module without definitions has nothing to list: an empty package file, `__main__`.
        assert defined(tree) == set()
    else:
        assert [name for name in names if name.startswith("_") and name != "__version__"] == []
