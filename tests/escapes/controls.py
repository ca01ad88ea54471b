"""A plugin that does what plugins do: each control is an ordinary use of a library, and must work in a cell.

Its prompt is a control's name and its arguments; its answer is "ok", or the error.
"""

from __future__ import annotations

import importlib
import struct
import sys
from typing import TYPE_CHECKING, Any

from cellwall_sdk import Model, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CONTROLS", "NETWORK"]

TIMEOUT_S = 15.0

CONTROLS: dict[str, Callable[[], None]] = {}
"""Uses of libraries, by name."""

NETWORK: dict[str, Callable[[str], None]] = {}
"""Uses of the network, by name; each is told where to ask."""


def control(function: Callable[[], None]) -> Callable[[], None]:
    """Register a control."""
    CONTROLS[function.__name__] = function
    return function


def network(function: Callable[[str], None]) -> Callable[[str], None]:
    """Register a control that needs the network."""
    NETWORK[function.__name__] = function
    return function


@network
def httpx_sync(url: str) -> None:
    """Ask with httpx."""
    import httpx

    for _ in range(2):
        assert httpx.get(url, timeout=TIMEOUT_S).text == "hello"
    with (
        httpx.Client(timeout=TIMEOUT_S) as client,
        client.stream("POST", url, content=b"x" * 100_000) as answer,
    ):
        assert b"".join(answer.iter_bytes()) == b"100000"


@network
def httpx_async(url: str) -> None:
    """Ask several times at once."""
    import asyncio

    import httpx

    async def ask() -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answers = await asyncio.gather(*(client.get(url) for _ in range(8)))
        assert {answer.text for answer in answers} == {"hello"}

    asyncio.run(ask())


@network
def requests_session(url: str) -> None:
    """Ask with requests."""
    import requests

    with requests.Session() as session:
        assert session.get(url, timeout=TIMEOUT_S).text == "hello"


@network
def urllib_request(url: str) -> None:
    """Ask with the standard library."""
    from urllib.request import urlopen

    with urlopen(url, timeout=TIMEOUT_S) as answer:
        assert answer.read() == b"hello"


@control
def numpy_product() -> None:
    """Multiply matrices, which starts threads, and keep them in a file."""
    import numpy as np

    square = np.ones((300, 300), dtype=np.float32)
    assert (square @ square).sum() == 300**3
    np.save("square.npy", square)
    assert np.load("square.npy", mmap_mode="r").shape == (300, 300)


@control
def onnxruntime_model() -> None:
    """Run a model."""
    import numpy as np

    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(tiny_model(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": np.array([1, 2, 3], dtype=np.float32)})
    assert list(answer) == [2, 4, 6]


@control
def xllamacpp_library() -> None:
    """Load the library that runs the bundled model."""
    xllamacpp = importlib.import_module("xllamacpp")
    assert xllamacpp.CommonParams() is not None


@control
def sqlite_database() -> None:
    """Keep a database, with a journal beside it."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect("own.db")) as database:
        database.execute("pragma journal_mode=wal")
        database.execute("create table if not exists words (word text)")
        database.execute("insert into words values ('hello')")
        database.commit()
        assert database.execute("select word from words").fetchall()


@control
def threads() -> None:
    """Start threads, also in a pool."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    done: list[int] = []
    started = [threading.Thread(target=done.append, args=(number,)) for number in range(20)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(str, range(50))) == [str(number) for number in range(50)]
    assert len(done) == 20


@control
def asyncio_loop() -> None:
    """Run an event loop, with threads of its own and a timer."""
    import asyncio

    async def work() -> int:
        await asyncio.sleep(0)
        return await asyncio.to_thread(abs, -7)

    assert asyncio.run(work()) == 7


@control
def temporary_files() -> None:
    """Make temporary files and folders of every kind."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryFile() as unnamed, tempfile.NamedTemporaryFile() as named:
        unnamed.write(b"x")
        named.write(b"x")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_text("x")
    with tempfile.SpooledTemporaryFile(max_size=10) as spooled:
        spooled.write(b"x" * 100)


@control
def copied_and_moved_files() -> None:
    """Copy files with their rights and times, and move them between the two folders."""
    import os
    import shutil
    import tempfile
    from pathlib import Path

    Path("source").write_text("x")
    shutil.copy("source", "copy")
    shutil.copy2("source", "copy2")
    shutil.copyfile("source", "copyfile")
    moved = shutil.move("copy", tempfile.gettempdir())
    assert Path(moved).read_text() == "x"
    Path(moved).unlink()
    Path("folder/inner").mkdir(parents=True, exist_ok=True)
    Path("folder/inner/file").write_text("x")
    shutil.copytree("folder", "tree", dirs_exist_ok=True)
    shutil.rmtree("tree")
    Path("source").rename("renamed")
    os.utime("renamed")
    Path("renamed").chmod(0o600)
    assert os.access("renamed", os.W_OK)


@control
def logging_to_a_file() -> None:
    """Write a log that is rotated."""
    import logging.handlers
    from pathlib import Path

    handler = logging.handlers.RotatingFileHandler("own.log", maxBytes=50, backupCount=1)
    logger = logging.getLogger("control")
    logger.addHandler(handler)
    for _ in range(5):
        logger.warning("a line for the log")
    handler.close()
    assert Path("own.log.1").exists()


@control
def time_zones_and_locales() -> None:
    """Look up a time zone, and format as the user does."""
    import locale
    import zoneinfo

    if zoneinfo.available_timezones():
        assert zoneinfo.ZoneInfo("Europe/Berlin").key == "Europe/Berlin"
    locale.setlocale(locale.LC_ALL, "")
    assert locale.getpreferredencoding(do_setlocale=False)


@control
def certificates() -> None:
    """Load the certificates that come with the system, or with Python's usual package."""
    import ssl

    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    assert context.cert_store_stats()["x509_ca"] > 50


@control
def user_and_host() -> None:
    """Ask who and where we are, as libraries do for their file names."""
    import getpass
    import os
    import platform
    import socket
    from pathlib import Path

    assert Path.home().is_dir()
    assert all([platform.platform(), socket.gethostname(), os.cpu_count()])
    if any(str(os.getuid()) == line.split(":")[2] for line in Path("/etc/passwd").read_text().splitlines()):
        assert getpass.getuser()


@control
def multiprocessing_imports() -> None:
    """Import what makes processes, as many libraries do without ever making one."""
    for name in ("concurrent.futures.process", "multiprocessing.pool", "multiprocessing.managers"):
        importlib.import_module(name)


@control
def random_and_hashes() -> None:
    """Draw random numbers and hash."""
    import hashlib
    import secrets
    import uuid

    assert hashlib.sha256(secrets.token_bytes(8)).hexdigest()
    assert uuid.uuid4().hex
    assert uuid.uuid1().hex


@control
def imported_resources() -> None:
    """Find a distribution's version and a file in a package."""
    import importlib.metadata
    import importlib.resources

    assert importlib.metadata.version("msgspec")
    assert importlib.resources.files("certifi").joinpath("cacert.pem").is_file()


def tiny_model() -> bytes:
    """Write an ONNX model by hand: it adds what it gets to itself."""
    shape = field(2, field(1, field(2, b"n")))
    of_floats = field(2, field(1, field(1, 1) + shape))
    node = field(1, b"x") + field(1, b"x") + field(2, b"y") + field(4, b"Add")
    x, y = field(1, b"x") + of_floats, field(1, b"y") + of_floats
    graph = field(1, node) + field(2, b"tiny") + field(11, x) + field(12, y)
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def field(number: int, value: int | bytes) -> bytes:
    """Write a field as protocol buffers do; all lengths here are below 128."""
    if isinstance(value, int):
        return struct.pack("BB", number << 3, value)
    return struct.pack("BB", number << 3 | 2, len(value)) + value


class Controls(Model):
    """Runs the control that the prompt names."""

    model_id = "zoo"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Run it and tell what came of it."""
        name, *arguments = prompt.prompt.split()
        try:
            if arguments:
                NETWORK[name](arguments[0])
            else:
                CONTROLS[name]()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            import traceback

            print(traceback.format_exc(), file=sys.stderr)
            yield f"{type(error).__name__}: {error}"
        else:
            yield "ok"


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(Controls())
