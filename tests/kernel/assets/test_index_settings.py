"""The configuration of pip and uv, read from real files and variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.assets.index_settings import STANDARD_INDEX, IndexSettings, read_settings

if TYPE_CHECKING:
    from pathlib import Path


class Machine:
    """A home folder, a virtual environment and variables; the machine's own files under /etc do not count."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.prefix = folder / "venv"
        self.home.mkdir()
        self.prefix.mkdir()

    def pip_conf(self, text: str) -> Path:
        """Write the user's pip.conf."""
        file = self.home / ".config" / "pip" / "pip.conf"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def settings(self, **variables: str) -> IndexSettings:
        """Read the settings of a person at this machine."""
        environment = {"HOME": str(self.home), "PIP_INDEX_URL": "", "PIP_EXTRA_INDEX_URL": "", **variables}
        return read_settings(environment, prefix=str(self.prefix))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without configuration."""
    return Machine(tmp_path)


def test_without_configuration_the_standard_index_counts() -> None:
    """As for pip; PIP_CONFIG_FILE=/dev/null means that no file counts."""
    assert read_settings({"PIP_CONFIG_FILE": os.devnull}) == IndexSettings(indexes=(STANDARD_INDEX,))


def test_variables_win_over_files_and_files_of_the_environment_over_those_of_the_user(
    machine: Machine,
) -> None:
    """Pip's order: machine, user, environment, variables."""
    machine.pip_conf(
        "[global]\nindex-url = https://user/simple\nextra-index-url = https://a/s\n  https://b/s\n"
    )
    assert machine.settings().indexes[:3] == ("https://user/simple", "https://a/s", "https://b/s")

    machine.prefix.joinpath("pip.conf").write_text("[global]\nindex_url = https://venv/simple\n")
    assert machine.settings().indexes == ("https://venv/simple", "https://a/s", "https://b/s")

    settings = machine.settings(PIP_INDEX_URL="https://var/simple", PIP_EXTRA_INDEX_URL="https://c/s")
    assert settings.indexes == ("https://var/simple", "https://c/s")


def test_the_section_of_install_wins_over_the_global_one(machine: Machine) -> None:
    """Pip sorts by section first, and by file second."""
    machine.pip_conf(
        "[install]\nindex-url = https://install/simple\n[global]\nindex-url = https://global/simple\n"
    )

    assert machine.settings().indexes[0] == "https://install/simple"


def test_a_chosen_file_replaces_that_of_the_user(machine: Machine, tmp_path: Path) -> None:
    """PIP_CONFIG_FILE is read last, and the user's file not at all."""
    machine.pip_conf("[global]\nfind-links = /user\nindex-url = https://user/simple\n")
    chosen = tmp_path / "chosen.conf"
    chosen.write_text("[global]\nindex-url = https://chosen/simple\nextra-index-url = https://x/s\n")

    settings = machine.settings(PIP_CONFIG_FILE=str(chosen))

    assert settings.indexes == ("https://chosen/simple", "https://x/s")
    assert "/user" not in settings.find_links


def test_all_else_that_leads_to_an_index_is_read(machine: Machine) -> None:
    """Folders of wheels, certificates, proxy and trusted hosts."""
    settings = machine.settings(
        PIP_FIND_LINKS="/wheels https://example.org/links",
        PIP_CERT="/ca.pem",
        PIP_CLIENT_CERT="/me.pem",
        PIP_PROXY="http://proxy:3128",
        PIP_TRUSTED_HOST="Mirror.lan other:8080",
    )

    assert settings.find_links == ("/wheels", "https://example.org/links")
    assert (settings.cert, settings.client_cert) == ("/ca.pem", "/me.pem")
    assert settings.proxy == "http://proxy:3128"
    assert settings.trusted_hosts == {"mirror.lan", "other:8080"}


@pytest.mark.parametrize("variable", ["PIP_NO_INDEX", "UV_NO_INDEX"])
def test_no_index_leaves_the_folders_only(machine: Machine, variable: str) -> None:
    """Whoever forbids the network to pip or uv forbids it to us."""
    settings = machine.settings(**{variable: "1", "PIP_FIND_LINKS": "/wheels"})

    assert settings.indexes == ()
    assert settings.find_links == ("/wheels",)


def test_a_bundle_for_other_programs_counts_where_none_was_set(machine: Machine) -> None:
    """Pip's HTTP library reads these; the ssl module itself reads SSL_CERT_FILE."""
    machine.prefix.joinpath("pip.conf").write_text("[global]\ncert =\n")
    assert machine.settings(REQUESTS_CA_BUNDLE="/a.pem", CURL_CA_BUNDLE="/b.pem").cert == "/a.pem"
    assert machine.settings(REQUESTS_CA_BUNDLE="/a.pem", SSL_CERT_FILE="/c.pem").cert is None


def test_the_indexes_of_uv_count(machine: Machine) -> None:
    """Named ones, with the credentials that uv takes from variables, and the default."""
    settings = machine.settings(
        PIP_CONFIG_FILE=os.devnull,
        UV_DEFAULT_INDEX="https://default/simple",
        UV_INDEX="my-own=https://own/simple https://plain/simple",
        UV_INDEX_MY_OWN_USERNAME="me",
        UV_INDEX_MY_OWN_PASSWORD="a/b",
        UV_FIND_LINKS="/one,/two",
    )

    assert settings.indexes == (
        "https://default/simple",
        "https://me:a%2Fb@own/simple",
        "https://plain/simple",
    )
    assert settings.find_links == ("/one", "/two")


def test_the_file_of_uv_counts(machine: Machine) -> None:
    """Both ways of writing it down that uv knows."""
    file = machine.home / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        'index = [{url = "https://default/simple", default = true}, {name = "x", url = "https://x/simple"}]\n'
        '[pip]\nextra-index-url = ["https://y/simple"]\nfind-links = ["/wheels"]\n'
    )

    settings = machine.settings(PIP_CONFIG_FILE=os.devnull)

    assert settings.indexes == ("https://default/simple", "https://x/simple", "https://y/simple")
    assert settings.find_links == ("/wheels",)


def test_a_broken_file_is_passed_over(machine: Machine) -> None:
    """Pip complains about it when it is used; a download need not fail for it."""
    machine.pip_conf("not an ini file\n")
    file = machine.home / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text("not = = toml")

    assert machine.settings(PIP_INDEX_URL="https://var/simple").indexes[0] == "https://var/simple"
