"""Promise 10: no password or token of any address is written, stored or shown, and what needs it still works."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from omegaconf import OmegaConf

from ridgeline.command_line import passwords
from ridgeline.command_line.composed import conceal_argument, conceal_study, plain
from ridgeline.command_line.passwords import hidden, hidden_everywhere, remember, revealed
from ridgeline.entry_points import ROOT
from test_tracking_server import Server

PASSWORD = "sword/fish 7"
TYPED = quote(PASSWORD, safe="")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test conceals is known to no other."""
    monkeypatch.setattr(passwords, "_real", {})
    monkeypatch.setattr(passwords, "_secrets", set())
    monkeypatch.setenv(passwords.ENVIRONMENT, "{}")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ridge:a@b:c@host:5432/name", "postgresql://ridge:***@host:5432/name"),
        ("postgresql://ridge:a/b@host/name", "postgresql://ridge:***@host/name"),
        ("postgresql://host/name?user=ridge&password=a@b&x=1", "postgresql://host/name?user=ridge&password=***&x=1"),
        ("postgresql://ridge@host/name", "postgresql://ridge@host/name"),
        ("https://dapi0123@host/", "https://***@host/"),
        ("https://me:p%40ss@host/?access_token=abc#frag", "https://me:***@host/?access_token=***#frag"),
        ("http://host/?X-Amz-Signature=abc&a=b", "http://host/?X-Amz-Signature=***&a=b"),
        ("ray://me:secret@host:10001", "ray://me:***@host:10001"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////folder/name.db", "sqlite:////folder/name.db"),
    ],
)
def test_secrets_of_an_address_are_found_wherever_drivers_look(address: str, shown: str) -> None:
    assert hidden(address) == shown
    assert hidden(shown) == shown


def test_argument_of_any_key_is_concealed_and_its_reader_gets_it_back() -> None:
    for argument, value in (
        ("tracking.uri=http://me:swordfish@host:5000", "http://me:swordfish@host:5000"),
        ("+a.b='http://me:it is@host'", "http://me:it is@host"),
        ("tracking.uri=http://host:1/x?token=swordfish", "http://host:1/x?token=swordfish"),
        ('~search.storage="postgresql://host/n?password=p&q"', "postgresql://host/n?password=p&q"),
    ):
        shown = conceal_argument(argument)
        assert "***" in shown
        assert shown.partition("=")[0] == argument.partition("=")[0]
        assert revealed(hidden(value)) == value
    for argument in ("tracking.uri=sqlite:////a.db", "regularization.l2=1e-3", "--config-dir=x"):
        assert conceal_argument(argument) == argument


def test_address_of_a_file_or_of_the_environment_is_concealed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "http://me:swordfish@there")
    hydra = {"overrides": {"task": []}, "job": {"override_dirname": ""}}
    config = OmegaConf.create({"hydra": hydra, "a": {"b": "http://me:swordfish@here"}, "c": "${oc.env:WHERE}", "d": 1})
    OmegaConf.set_readonly(config.hydra, True)
    OmegaConf.set_readonly(config.hydra, False)
    assert conceal_study(config, ["d=1"]) == ["d=1", "a.b='http://me:***@here'"]
    assert config.a.b == "http://me:***@here"
    assert plain(config)["c"] == "http://me:***@there"
    assert revealed("http://me:***@there") == "http://me:swordfish@there"


def test_text_of_an_error_shows_a_password_in_none_of_its_forms() -> None:
    remember("http://me:***@host", f"http://me:{TYPED}@host")
    assert hidden_everywhere(f"{TYPED} and {PASSWORD} do not match") == "*** and *** do not match"


def test_address_that_is_shown_but_was_not_given_shows_no_password_and_others_stay_as_they_are() -> None:
    text = "uri: http://me:pass@host:5000/?token=abc&x=1 'a'"
    assert hidden_everywhere(text) == "uri: http://me:***@host:5000/?token=***&x=1 'a'"
    page = "http://127.0.0.1:5000/#/models/ridgeline-digits@champion and models:/ridgeline-digits@champion"
    assert hidden_everywhere(page) == page


def test_child_process_knows_what_its_arguments_do_not_say() -> None:
    remember("http://me:***@host", "http://me:swordfish@host")
    code = "from ridgeline.command_line.passwords import revealed; print(revealed('http://me:***@host'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "http://me:swordfish@host\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Of a server which asks nobody for a password, and its folder."""
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder)
    server.start()
    yield folder, f"http://me:{TYPED}@127.0.0.1:{server.port}"
    server.stop()


class Said:
    """All that processes said, and the command lines of their children."""

    def __init__(self) -> None:
        self.text = self.last = ""

    def run(self, pipeline: str, *arguments: str, **environment: str) -> int:
        command = [sys.executable, str(ROOT / "pipelines" / f"{pipeline}.py"), *arguments]
        with tempfile.TemporaryFile("w+") as output:
            process = psutil.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT)
            while process.poll() is None:
                with suppress(psutil.Error):
                    self.text += " ".join(
                        word for child in process.children(recursive=True) for word in child.cmdline()
                    )
                time.sleep(0.2)
            output.seek(0)
            self.last = output.read()
        self.text += self.last
        return int(process.returncode)


@pytest.mark.verify
def test_password_reaches_no_file_no_store_and_no_screen(address: tuple[Path, str], tmp_path: Path) -> None:
    (folder, uri), said, runs = address, Said(), f"runs={tmp_path}/runs"
    tiny, given = ["data=wine", "trainer.max_epochs=2", runs], f"tracking.uri='{uri}'"
    assert said.run("train", *tiny, given) == 0, said.last
    study = ["-m", "search=random", "search.n_trials=3", "search.study_name=one"]
    assert said.run("train", *study, *tiny, "tracking.uri=${oc.env:WHERE}", WHERE=uri) == 0, said.last
    assert said.run("train", *study, *tiny, given, "search.n_trials=4") == 0, said.last
    for pipeline in ("report", "confirm"):
        assert said.run(pipeline, "study=one", runs) != 0
        assert "tracking.uri" in said.last
        assert said.last.count("\n") == 1
    assert said.run("report", "study=one", runs, given) == 0, said.last
    few = ["confirm.seeds=2", "confirm.selection_seeds=2", "confirm.top=1"]
    assert said.run("confirm", "study=one", runs, given, *few) == 0, said.last
    assert said.run("train", *tiny, f"tracking.uri='{uri.replace('127.0.0.1', '127.0.0.1:9')}'") != 0
    assert said.run("train", *tiny, f"data.root='{uri}'", "tracking.urii=1") != 0
    forms = [form.encode() for form in (TYPED, PASSWORD)]
    assert not [form for form in forms if form in said.text.encode()]
    files = [path for place in (tmp_path, folder) for path in place.rglob("*") if path.is_file()]
    assert len(files) > 30
    assert [path for path in files if any(form in path.read_bytes() for form in forms)] == []
