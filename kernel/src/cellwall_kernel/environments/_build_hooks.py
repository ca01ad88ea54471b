"""Call one hook of a build backend. A copy of this file is run by path behind the wall, with the build tools.

    python -I _build_hooks.py HOOK PROJECT OUT ANSWER BACKEND [BACKEND_PATH…]

The answer is written as a JSON list of strings.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Call the hook where the specification wants it to be called: in the project's folder."""
    hook, project, out, answer, backend, *backend_path = arguments
    os.chdir(project)
    sys.path[:0] = [str(Path(project, folder)) for folder in backend_path]
    sys.argv = ["build"]
    module, _, attributes = backend.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    call: Any = getattr(found, hook, None)
    answers: list[str] = [call(out)] if hook == "build_wheel" else [] if call is None else call()
    Path(answer).write_text(json.dumps(answers), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
