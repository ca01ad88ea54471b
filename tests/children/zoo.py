"""The zoo: every plugin that misbehaves, how it is started, and what its user reads and gets.

Each is a tiny real program: a module made with the SDK in `plugins`, or a program in `programs` that speaks
the protocol by hand. Adding one is a file and a line here; `test_zoo` runs them all through the command line.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.children.kit import HERE, install

__all__ = ["SHARED", "ZOO", "Specimen", "file_of", "install_specimen", "processes_below"]

COMPILER_BOUND_S = 30
ESCAPES = "\x1b]0;hijacked\x07\x1b[2J\x9b31m\x08"
SUFFIXES = {"Python": "py", "shell": "sh", "C": "c"}


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A plugin that misbehaves.

    Args:
        name: of its file without the ending, and of the plugin.
        language: Python, shell or C.
        start: "module" is imported by the SDK, "program" speaks the protocol by itself.
        reads: what its user reads on stderr, a regular expression for the whole of it; of one that never
            comes to offer a model, the cause that `llm plugins list` gives.
        out: what its user gets on stdout.
        code: the exit code of the prompt; 3, no such model, for one that offers none.
        bound_s: how long the prompt may take, in seconds.
        model: which is prompted; by default, the one with its name.
        grants: what it is granted, as on the command line.
        options: of the prompt.
        deadlines: what its user set for it, as for `llm plugins timeouts`.
    """

    name: str
    language: str
    start: str
    reads: str
    out: str
    code: int
    bound_s: float
    model: str
    grants: tuple[str, ...]
    options: tuple[str, ...]
    deadlines: tuple[str, ...]

    @property
    def offers_a_model(self) -> bool:
        """Whether it comes so far that it can be prompted."""
        return self.code != NOT_FOUND


def stands(
    name: str,
    how: str,
    code: int,
    out: str,
    reads: str,
    *,
    bound_s: float = 30.0,
    model: str = "",
    grants: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    deadlines: tuple[str, ...] = (),
) -> Specimen:
    """Read a row of the table: name, language and start, exit code, stdout, stderr; then what is special.

    All is bounded by the deadlines and the ladder, which take seven seconds at most; the rest of a bound is
    for a machine with other things to do.
    """
    language, start = how.split()
    return Specimen(
        name=name,
        language=language,
        start=start,
        reads=reads,
        out=out,
        code=code,
        bound_s=bound_s,
        model=model or name,
        grants=grants,
        options=options,
        deadlines=deadlines,
    )


NOT_FOUND = 3
PYTHON, SHELL, C, MODULE = "Python program", "shell program", "C program", "Python module"
SPAWN = ("spawn=any",)
HURRY = ("--timeout", "2")
SOON = ("start=1s",)  # ten are usual: test_bad_neighbours


def stopped(what: str) -> str:
    """What the user reads of a plugin that broke a rule of the protocol, or of the wall."""
    return rf"Error: plugin '\w+' was stopped: {what}\.\n( {{4}}.*\n)*"


def crashed(cause: str, last_words: str = "") -> str:
    """What the user reads of a plugin that ended in its answer."""
    return rf"Error: plugin '\w+' crashed \({cause}\) and its answer ends here\.\n{last_words}"


def failed(what: str) -> str:
    """What the user reads of a call that the plugin answered with an error."""
    return rf"Error: {what}\n"


LATE = r"Error: plugin '\w+' did not finish its answer within 2 s .*\n"
BROKE = r"plugin '\w+' broke the protocol: "

ZOO = (
    # It never comes to offer a model; the prompt says so, and `llm plugins list` says why.
    stands(
        "raises_at_import", MODULE, 3, "", r".* ZeroDivisionError: .*zoo_raises_at_import\.py, line 6\)\."
    ),
    stands("exits_at_import", MODULE, 3, "", r".* ended with exit code 7 while it was being loaded\."),
    stands("sleeps_at_import", MODULE, 3, "", r".* did not finish loading within 1 s.*", deadlines=SOON),
    stands("registers_nonsense", MODULE, 3, "", r"register\(\) was given .* not a cellwall_sdk\.Model\."),
    stands("silent", PYTHON, 3, "", r".* did not finish loading within 1 s.*", deadlines=SOON),
    stands("wrong_version", PYTHON, 3, "", r".* speaks version 7 .* speaks version 1; upgrade Cellwall\."),
    stands("answers_in_another_version", PYTHON, 3, "", r".* it chose protocol version 9, .* not offered\."),
    stands(
        "greets_with_nonsense", PYTHON, 3, "", r".* stopped: it answered initialize with something else.*"
    ),
    stands("refuses_to_start", PYTHON, 3, "", r".* refused to start: the licence has expired\s.*"),
    stands("describes_itself_as_a_list", PYTHON, 3, "", BROKE + r"the result of plugin/describe cannot .*"),
    stands("describes_itself_at_length", PYTHON, 3, "", r".* describes itself in 7,340,\d+ bytes; .*"),
    stands("offers_too_many_models", PYTHON, 3, "", r".* describes itself in 2,088,\d+ bytes; .*"),
    # It breaks the protocol in its answer.
    stands("endless_line", PYTHON, 5, "", stopped(r"it sent a line longer than 8388608 bytes")),
    stands(
        "sends_a_fat_line", PYTHON, 5, "", stopped(r"it sent a data line of \d+ bytes; the limit is 65536")
    ),
    stands(
        "floods_junk",
        PYTHON,
        5,
        "",
        stopped(r"it wrote too much to its protocol channel that is not a message"),
    ),
    stands("miscounts_items", PYTHON, 5, "one\n", stopped(r"it said that h2 has 5 items, but 1 came")),
    stands("skips_data", PYTHON, 5, "one\n", stopped(r"it sent item group 2 of h2 where 1 was due")),
    stands("counts_in_fractions", PYTHON, 5, "", stopped(r"it sent a \$/data that cannot be read: .*")),
    stands("uses_an_id_twice", PYTHON, 5, "", stopped(r"it used the id p1 twice")),
    stands("closes_stdout", PYTHON, 5, "", stopped(r"it closed its output but went on running")),
    stands("closes_stdin", PYTHON, 6, "", LATE, options=HURRY),
    stands(
        "answers_with_a_list", PYTHON, 5, "one\n", failed(BROKE + r"the result of model/prompt cannot .*")
    ),
    stands("answers_as_the_host", PYTHON, 5, "", failed(BROKE + r"code 5005 belongs to the host: .*")),
    stands(
        "complains_at_length",
        PYTHON,
        5,
        "",
        r"(?s)Error: ␛\]0;hijacked␇.{3900,4000} … \(cut: 1,040,\d+ characters\)\n",
    ),
    # It does what does no harm, and its answer counts.
    stands("answers_twice", PYTHON, 0, "", ""),
    stands("sends_late_items", PYTHON, 0, "fine\n", ""),
    stands("answers_nobody", PYTHON, 0, "fine\n", ""),
    stands("writes_noise", PYTHON, 0, "fine\n", ""),
    stands("says_some_junk", PYTHON, 0, "fine\n", ""),
    stands("nests_deeply", PYTHON, 0, "fine\n", ""),
    stands("sends_strings_for_items", PYTHON, 0, "fine\n", ""),
    stands("counts_absurdly", PYTHON, 0, "fine\n", ""),
    stands("floods_progress", PYTHON, 0, "fine\n", ""),
    stands("cancels_the_host", PYTHON, 0, "fine\n", ""),
    stands("calls_what_is_not_there", PYTHON, 0, "NoParent\n", ""),
    stands("offers_one_model_twice", PYTHON, 0, "fine\n", ""),
    stands("steers_the_terminal", PYTHON, 0, f"an answer{ESCAPES}\n", r"note␛\]0;hijacked␇␛\[2J\ufffd31m␈\n"),
    stands("sets_x", SHELL, 0, "fine\n", ""),
    stands("outstays", SHELL, 0, "fine\n", ""),
    stands("floods_stderr", C, 0, "one\n", ""),
    stands("prints_at_import", MODULE, 0, "read 0 characters\n", "", model="zoo", grants=SPAWN),
    stands("sleeps_at_exit", MODULE, 0, "one answer\n", ""),
    stands("leaves_a_thread", MODULE, 0, "one\n", ""),
    # It dies in its answer: what had come stays.
    stands("dies_mid_line", PYTHON, 5, "onetwo\n", crashed("exit code 0")),
    stands("leaves_with_95", PYTHON, 5, "one\n", crashed("exit code 95")),
    stands("outlived_by_a_grandchild", PYTHON, 5, "one\n", crashed("exit code 3"), grants=SPAWN),
    stands("leaves_quietly", SHELL, 5, "one\n", crashed("exit code 0")),
    stands("kills_itself", SHELL, 5, "one\n", crashed("signal SIGKILL")),
    stands("leaves_a_sleeper", SHELL, 5, "one\n", crashed("exit code 4"), grants=SPAWN),
    stands("writes_to_nowhere", C, 5, "one\n", crashed("signal SIGSEGV")),
    stands("overflows_its_stack", C, 5, "one\n", crashed("signal SIGSEGV")),
    stands("divides_by_zero", C, 5, "one\n", crashed("signal SIGFPE")),
    stands("aborts", C, 5, "one\n", crashed("signal SIGABRT", r" {4}aborts\.c:9: Assertion .*\n")),
    stands("forks_without_end", C, 5, "one\n", crashed("exit code 6", r" {4}fork: .*\n")),
    stands("exits_in_a_thread", MODULE, 5, "one\n", crashed("exit code 11")),
    # It raises what its author did not expect.
    stands(
        "raises_system_exit",
        MODULE,
        5,
        "one\n",
        failed(r"the plugin called sys\.exit\('enough'\) \(.*line 18\)"),
    ),
    stands("raises_keyboard_interrupt", MODULE, 5, "one\n", failed(r"KeyboardInterrupt \(.*line 17\)")),
    stands(
        "raises_base_exception", MODULE, 5, "one\n", failed(r"GeneratorExit: not an Exception \(.*line 17\)")
    ),
    stands(
        "recurses", MODULE, 5, "one\n", failed(r"RecursionError: maximum recursion depth exceeded.*line 21\)")
    ),
    stands("yields_no_text", MODULE, 5, "one\n", failed(r"The model yielded bytes; it must yield str: .*")),
    # It takes more than it may.
    stands(
        "takes_all_memory",
        MODULE,
        5,
        "one\n",
        failed(r"MemoryError .* memory=128M' .*"),
        grants=("memory=64M",),
    ),
    stands(
        "floods_its_folder", MODULE, 5, "one\n", stopped(r"its files in .* data=16M' .*"), grants=("data=8M",)
    ),
    # It does not come to an end, and is ended.
    stands("sends_and_stalls", PYTHON, 6, "onetwo\n", LATE, options=HURRY),
    stands("ignores_cancel", PYTHON, 6, "one\n", LATE, options=HURRY),
    stands("never_listens", SHELL, 6, "one\n", LATE, options=HURRY),
    stands("ignores_sigterm", C, 6, "one\n", LATE, options=HURRY),
    stands("stops_itself", C, 6, "one\n", LATE, options=HURRY),
)

SHARED = frozenset({"host.py", "speak.h", "speak.py", "speak.sh"})
"""What stands beside the specimens and is none: what several share, and a host."""


def file_of(specimen: Specimen) -> Path:
    """Return the file that a specimen is."""
    folder = "plugins" if specimen.start == "module" else "programs"
    return HERE / folder / f"{specimen.name}.{SUFFIXES[specimen.language]}"


def install_specimen(site: Path, specimen: Specimen) -> None:
    """Install a specimen as a wheel would: a module, or a package with its manifest and its program.

    Raises:
        LookupError: it is in C, and there is no compiler.
    """
    name, source = specimen.name, file_of(specimen)
    package = f"zoo_{name}"
    if specimen.start == "module":
        install(site, f"zoo-{name}", {f"{package}.py": source.read_text("utf-8")}, points={name: package})
        return
    if specimen.language == "C":
        (site / package).mkdir()
        compile_program(source, site / package / name)
    program = source.name
    command = {"Python": ["python3", program], "shell": ["sh", program, name], "C": [name]}[specimen.language]
    files = {f"{package}/__init__.py": "", f"{package}/plugin.toml": f"command = {command}\n"}
    for file in (source, source.with_stem("speak")) if specimen.language != "C" else ():
        files[f"{package}/{file.name}"] = file.read_text("utf-8")
    install(site, f"zoo-{name}", files, points={name: package})


def compile_program(source: Path, program: Path) -> None:
    """Compile a specimen in C.

    Raises:
        LookupError: there is no compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise LookupError("there is no C compiler here (no program called cc)")
    flags = ("-O0", "-std=gnu11", "-w")  # it is meant to be wrong
    subprocess.run([compiler, *flags, "-o", program, source], timeout=COMPILER_BOUND_S, check=True)


def processes_below(folder: Path) -> list[str]:
    """List the processes whose working folder is below another: every cell's is in the user folder."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue  # it has ended, or is somebody else's
    return found
