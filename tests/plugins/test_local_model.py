"""The bundled model in a real child process: few prompts, short answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import cellwall_wire as wire
from cellwall_kernel.assets.fetch import ensure
from cellwall_kernel.assets.progress import SilentProgress
from cellwall_kernel.errors import AssetProblem
from cellwall_kernel.manifest import parse_manifest
from cellwall_kernel.paths import Paths
from cellwall_wire import ErrorResponse, Response
from tests.sdk.hosting import Child, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.model

BUSY_WAITS = 4
"""How often a test waits for the harness's bound before it gives up: the machine may be busy."""

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's file, fetched once and kept in pytest's cache; skips where no index can be reached."""
    from importlib.resources import files

    spec = parse_manifest(files("cellwall_local").joinpath("plugin.toml").read_bytes()).assets[0]
    cache = getattr(request.config, "cache", None)  # None with `-p no:cacheprovider`
    paths = Paths(cache.mkdir("cellwall") if cache is not None else tmp_path_factory.mktemp("cellwall"))
    try:
        return ensure(spec, paths, plugin="local", progress=SilentProgress())
    except AssetProblem as problem:
        if "refused and removed" in problem.message:
            raise
        pytest.skip(f"the model cannot be fetched here: {problem.message}")


@pytest.fixture
def child(tmp_path: Path, weights: Path) -> Iterator[Child]:
    """The plugin with the bundled model, ready for prompts."""
    with Child(tmp_path, "cellwall_local", assets={"smollm2": weights}) as started:
        started.start()
        yield started


def answer_to(child: Child, call_id: str) -> Response | ErrorResponse:
    """Wait for the end of a call, patiently."""
    for _ in range(BUSY_WAITS - 1):
        try:
            return child.wait_answer(call_id)
        except TimeoutError:
            continue
    return child.wait_answer(call_id)


def ask(child: Child, text: str, *, model: str = "smollm2", **params: Any) -> tuple[str, wire.PromptResult]:
    """Ask and return the answer's text and result."""
    params.setdefault("options", {"max_tokens": 16})
    call_id = child.open(text, model=model, **params)
    answer = answer_to(child, call_id)
    assert isinstance(answer, Response), answer
    return text_of(child.items[call_id]), answer.result


def refusal(child: Child, text: str, **params: Any) -> wire.ErrorInfo:
    """Ask and return the error."""
    answer = answer_to(child, child.open(text, model="smollm2", **params))
    assert isinstance(answer, ErrorResponse), answer
    return answer.error


def test_the_answer_streams_with_usage_and_the_reason_of_its_end(child: Child) -> None:
    """One delta per token; the prefix of the next prompt is still known to the process."""
    text, result = ask(child, "Explain what a command line is.", options={"max_tokens": 8})
    deltas = [item for item in child.items["h2"] if isinstance(item, wire.Delta)]

    assert len(deltas) > 4
    assert "".join(item.text for item in deltas) == text
    assert result.finish == "length"
    assert result.model_resolved == "SmolLM2-135M-Instruct.Q4_1"
    assert result.usage is not None
    assert result.usage.input is not None
    assert (result.usage.output, result.usage.input > 10) == (8, True)

    again, result = ask(child, "Explain what a command line is.", options={"max_tokens": 8}, stream=False)
    assert again == text  # greedy: the same question has the same answer, streamed or not
    assert result.usage is not None
    assert (result.usage.cached_input or 0) > 10


def test_a_short_answer_stops_by_itself(child: Child) -> None:
    """The reason is then "stop"."""
    _, result = ask(child, "What is the capital of France?", options={"max_tokens": 32})

    assert result.finish == "stop"


def test_the_process_listens_nowhere_and_prints_nothing(child: Child, tmp_path: Path) -> None:
    """llama.cpp's HTTP server has neither a TCP port nor a socket with a name, and the log stays empty."""
    ask(child, "Hi", options={"max_tokens": 1})

    assert listening_tcp_inodes(child.process.pid) & socket_inodes(child.process.pid) == set()
    assert [path for path in unix_socket_names(child.process.pid) if Path(path).exists()] == []
    assert child.stderr == ""


def test_a_cancelled_answer_ends_and_the_process_answers_on(child: Child) -> None:
    """Generation stops within a token; the model stays in memory."""
    call_id = child.open("Tell me a very long story.", model="smollm2", options={"max_tokens": 2000})
    child.wait_items(call_id, 4)
    child.cancel(call_id)
    cancelled = answer_to(child, call_id)

    if isinstance(cancelled, Response):
        assert cancelled.result.finish == "cancelled"
    else:
        assert cancelled.error.code == wire.Code.CANCELLED
    assert len(child.items[call_id]) < 1000
    text, _ = ask(child, "Hi", options={"max_tokens": 4})
    assert text


def test_an_answer_follows_a_schema(child: Child) -> None:
    """The grammar leaves the model no choice but valid JSON."""
    text, _ = ask(child, "Name a city.", schema=CITY, options={"max_tokens": 32})

    assert list(json.loads(text)) == ["city"]


def test_cut_json_comes_with_a_warning(child: Child) -> None:
    """Else nobody would know why it cannot be parsed."""
    call_id = child.open("Name a city.", model="smollm2", schema=CITY, options={"max_tokens": 2})
    answer_to(child, call_id)

    notes = [item for item in child.items[call_id] if isinstance(item, wire.Note)]
    assert [note.level for note in notes] == ["warning"]
    assert "cut off after 2 tokens" in notes[0].text


def test_a_wrong_schema_is_refused(child: Child) -> None:
    """llama.cpp's own words are kept; they say what is wrong."""
    error = refusal(child, "Hi", schema={"type": "nonsense"})

    assert error.kind == "BadOptions"
    assert "unrecognized type nonsense" in error.message


def test_a_prompt_that_does_not_fit_is_refused_at_once(child: Child) -> None:
    """Both when llama.cpp counts it and when only the room for the answer is missing."""
    too_long = refusal(child, "hello " * 400, options={"context": 256})
    no_room = refusal(child, "hello " * 150, options={"context": 256})

    for error in (too_long, no_room):
        assert error.kind == "ContextTooLong"
        assert "tokens and 'smollm2' takes 128 here" in error.message
        assert "-o context 1024" in error.message


def test_a_prompt_too_long_for_the_model_itself_is_refused(child: Child) -> None:
    """More context than it was trained for would not help."""
    error = refusal(child, "hello " * 9000)

    assert "or use a larger model" in error.message


def test_a_damaged_file_is_named_and_the_process_answers_on(tmp_path: Path, weights: Path) -> None:
    """A file of the user, cut off in the middle."""
    damaged = tmp_path / "damaged.gguf"
    with weights.open("rb") as whole:
        damaged.write_bytes(whole.read(1_000_000))
    with Child(tmp_path, "cellwall_local") as child:
        started(child, tmp_path, damaged=damaged, fine=weights)

        answer = answer_to(child, child.open("Hi", model="damaged"))
        assert isinstance(answer, ErrorResponse)
        assert f"The file {damaged} cannot be loaded" in answer.error.message

        text, _ = ask(child, "Hi", model="fine", options={"max_tokens": 2})
        assert text


def test_each_file_of_the_user_is_a_model(tmp_path: Path) -> None:
    """Describing loads neither files nor the library."""
    with Child(tmp_path, "cellwall_local") as child:
        started(child, tmp_path, tiny=tmp_path / "tiny.gguf")

        bundled, own = child.describe().models
        maps = open_text(f"/proc/{child.process.pid}/maps")

    assert (bundled.id, bundled.aliases, bundled.default) == ("smollm2", ["local", "smollm2-135m"], True)
    assert bundled.assets == ["smollm2"]
    assert (own.id, own.assets, own.default) == ("tiny", ["tiny"], False)
    assert set(bundled.options_schema["properties"]) > {"temperature", "max_tokens", "context", "threads"}
    assert "xllamacpp" not in maps


def test_a_missing_file_comes_with_advice(tmp_path: Path) -> None:
    """The host fetches it before; a host that did not gets this sentence."""
    with Child(tmp_path, "cellwall_local") as child:
        child.start()
        error = refusal(child, "Hi")

    assert "`llm local pull`" in error.message


def started(child: Child, folder: Path, **files: Path) -> None:
    """Say hello with files that the user added."""
    limits = child.connection.limits
    hello = wire.InitializeParams(
        protocols=[1],
        host=wire.Peer(name="tests"),
        plugin=wire.PluginIdentity(name="local"),
        limits=wire.WireLimits(line=limits.line, data_line=limits.data_line),
        dirs=wire.Dirs(data=str(folder), scratch=str(folder)),
        assets={name: wire.AssetFile(path=str(path), user=True) for name, path in files.items()},
    )
    answer = child.call("initialize", hello)
    assert isinstance(answer, Response), answer


def socket_inodes(pid: int) -> set[str]:
    """The sockets that a process holds."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def listening_tcp_inodes(pid: int) -> set[str]:
    """The TCP sockets, of both families, that listen in a process's network."""
    rows = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in open_text(f"/proc/{pid}/net/{family}").splitlines()[1:]
    ]
    return {row[9] for row in rows if row[3] == "0A"}


def unix_socket_names(pid: int) -> list[str]:
    """The paths of the Unix sockets that a process holds."""
    held = socket_inodes(pid)
    rows = [line.split() for line in open_text(f"/proc/{pid}/net/unix").splitlines()[1:]]
    return [row[7] for row in rows if len(row) > 7 and row[6] in held]


def open_text(path: str) -> str:
    """Read a file of /proc."""
    return Path(path).read_text(encoding="utf-8", errors="replace")
