"""The plugin that `llm plugins new` writes: four files that install, answer a prompt and pass a test.

The files are the templates beside this module, filled in by `string.Template`.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import NamedTuple

from cellwall_kernel.errors import StoreProblem, UsageProblem

__all__ = ["Names", "names_for", "write_plugin"]

TEMPLATES = Path(__file__).parent / "plugin"
PREFIX = "llm-"
LONGEST_NAME = 60
"""Characters; folder, module and distribution names stay well under every file system's limit."""

NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Names(NamedTuple):
    """What a new plugin's things are called, all made from one name such as `awesome-model`.

    Attributes:
        name: the plugin and its first model: `awesome-model`.
        dist: the distribution and its folder: `llm-awesome-model`.
        module: the import name: `llm_awesome_model`.
        class_name: the model's class: `AwesomeModel`.
    """

    name: str
    dist: str
    module: str
    class_name: str


def names_for(name: str) -> Names:
    """Make the names of a new plugin; a leading `llm-` counts as part of the distribution's name only.

    Raises:
        UsageProblem: the name would not do as a distribution, a module and a model.
    """
    short = name.removeprefix(PREFIX)
    if NAME_PATTERN.fullmatch(short) is None or len(short) > LONGEST_NAME:
        raise UsageProblem(
            f"'{name}' cannot be a plugin's name: use lower-case letters, digits and single hyphens, begin "
            f"with a letter, and take at most {LONGEST_NAME} characters, for instance 'awesome-model'."
        )
    class_name = "".join(word.capitalize() for word in short.split("-"))
    if keyword.iskeyword(class_name) or class_name in ("Model", "Hookimpl"):
        class_name = f"{class_name}Model"
    return Names(short, f"{PREFIX}{short}", f"{PREFIX}{short}".replace("-", "_"), class_name)


def write_plugin(names: Names, parent: Path) -> list[Path]:
    """Write a new plugin's project into a new folder of `parent`.

    Args:
        names: what everything is called.
        parent: the folder in which the project's folder is made.

    Returns:
        The files, the first one being the module to edit.

    Raises:
        UsageProblem: the folder exists already; nothing is overwritten.
        StoreProblem: it cannot be written.
    """
    folder = parent / names.dist
    texts = {
        folder / f"{names.module}.py": "module.py.tmpl",
        folder / "tests" / f"test_{names.module}.py": "test_module.py.tmpl",
        folder / "pyproject.toml": "pyproject.toml.tmpl",
        folder / "README.md": "README.md.tmpl",
    }
    try:
        folder.mkdir()
        (folder / "tests").mkdir()
        for path, template in texts.items():
            source = (TEMPLATES / template).read_text(encoding="utf-8")
            path.write_text(Template(source).substitute(names._asdict()), encoding="utf-8")
    except FileExistsError:
        raise UsageProblem(
            f"{folder} exists already; nothing was changed. Choose another name or folder."
        ) from None
    except OSError as problem:
        raise StoreProblem(f"{folder} cannot be written: {problem.strerror or problem}.") from problem
    return list(texts)
