"""The two examples, built as their pages say; without Node.js or a C compiler, tests of one are skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.driving import Example, Program

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).resolve().parents[2]
C_SOURCES = ROOT / "examples" / "c"
OLDEST_NODE = 18
COMPILER_BOUND_S = 50

PLAIN = ("-O2", "-Wall", "-Wextra", "-Werror", "-std=c11")
SANITIZED = ("-O1", "-g", "-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, new enough."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js here (no program called node)")
    version = subprocess.run(
        [found, "--version"], capture_output=True, text=True, timeout=COMPILER_BOUND_S, check=True
    ).stdout
    if int(re.findall(r"\d+", version)[0]) < OLDEST_NODE:
        pytest.skip(f"Node.js is {version.strip()} here; the example needs {OLDEST_NODE}")
    return found


@pytest.fixture(scope="session")
def compiler() -> str:
    """A C compiler."""
    found = shutil.which("cc")
    if found is None:
        pytest.skip("there is no C compiler here (no program called cc)")
    return found


def compiled(compiler: str, flags: tuple[str, ...], source: Path, program: Path) -> Path:
    """Compile a program; whatever the compiler says is a failure."""
    done = subprocess.run(
        [compiler, *flags, f"-I{C_SOURCES}", "-o", program, source],
        capture_output=True,
        text=True,
        timeout=COMPILER_BOUND_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return program


@pytest.fixture(scope="session")
def javascript(node: str) -> Example:
    """The example in JavaScript."""
    script = ROOT / "examples" / "javascript" / "llm_example_js" / "plugin.mjs"
    return Example((node, str(script)), "js-clerk", str)


@pytest.fixture(scope="session")
def hardened(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The flags for tests: sanitizers, where the compiler has them and what it makes runs."""
    folder = tmp_path_factory.mktemp("probe")
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    try:
        program = compiled(compiler, SANITIZED, probe, folder / "probe")
        subprocess.run([program], timeout=COMPILER_BOUND_S, check=True)
    except (AssertionError, subprocess.CalledProcessError):
        return PLAIN
    return SANITIZED


@pytest.fixture(scope="session")
def c_program(compiler: str, hardened: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The example in C, with sanitizers if possible, so that each test looks for what they find."""
    folder = tmp_path_factory.mktemp("c")
    compiled(compiler, PLAIN, C_SOURCES / "model.c", folder / "plain")
    program = compiled(compiler, hardened, C_SOURCES / "model.c", folder / "model")
    return Example((str(program),), "c-mirror", lambda text: text[::-1])


@pytest.fixture(params=["javascript", "c"])
def example(request: pytest.FixtureRequest) -> Example:
    """Each of the two."""
    found: Example = request.getfixturevalue({"javascript": "javascript", "c": "c_program"}[request.param])
    return found


@pytest.fixture
def program(example: Example, tmp_path: Path) -> Generator[Program]:
    """Each of the two, running; afterwards no sanitizer may have said anything."""
    with Program(example, tmp_path) as running:
        yield running
        running.process.kill()
        running.process.wait()
        log = running.log()
        assert "Sanitizer" not in log
        assert "runtime error" not in log
