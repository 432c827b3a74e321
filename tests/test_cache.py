"""What is kept in the cache is whole or not there, whoever is killed and however many ask at once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ridgeline.cache import made_once, require_space
from ridgeline.checking import ConfigError

FORK = multiprocessing.get_context("fork")


def make(draft: Path) -> None:
    (draft / "rows").write_text("all of them")
    with (draft.parent / "made").open("a") as count:
        count.write("x")


def killed_halfway(draft: Path) -> None:
    (draft / "rows").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_left_is_made_anew_and_its_draft_is_gone(tmp_path: Path) -> None:
    for name in ("asked", "other"):
        process = FORK.Process(target=made_once, args=(tmp_path / name, killed_halfway))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert [path.name.partition(".")[0] for path in tmp_path.glob("*.part")] == [name]
    assert (made_once(tmp_path / "asked", make) / "rows").read_text() == "all of them"
    assert not list(tmp_path.glob("*.part"))


def test_several_at_once_make_it_once(tmp_path: Path) -> None:
    processes = [FORK.Process(target=made_once, args=(tmp_path / "asked", make)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "made").read_text() == "x"


def test_what_nobody_has_used_for_90_days_is_deleted_when_something_new_is_kept(tmp_path: Path) -> None:
    days = {"old": 91, "read again": 91, "younger": 89}
    for name in days:
        made_once(tmp_path / name, make)
    for name, age in days.items():
        used = time.time() - age * 24 * 3600
        os.utime(tmp_path / name / "files.json", (used, used))
    made_once(tmp_path / "read again", make)
    assert all((tmp_path / name).is_dir() for name in days)  # nothing is deleted where nothing is made
    made_once(tmp_path / "new", make)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["new", "read again", "younger"]


@pytest.mark.parametrize("harm", ["cut", "deleted", "written", "no list"])
def test_what_is_damaged_is_made_anew(harm: str, tmp_path: Path) -> None:
    folder = made_once(tmp_path / "asked", make)
    if harm == "cut":
        os.truncate(folder / "rows", 3)
    elif harm == "deleted":
        (folder / "rows").unlink()
    elif harm == "written":
        (folder / "rows").write_text("ALL OF THEM")
    else:
        (folder / "files.json").write_text('{"rows": [11')
    assert (made_once(folder, make) / "rows").read_text() == "all of them"
    assert (tmp_path / "made").read_text() == "xx"
    made_once(folder, make)
    assert (tmp_path / "made").read_text() == "xx"


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    with pytest.raises(ConfigError) as raised:
        made_once(tmp_path / "asked", lambda draft: require_space(draft, 2**31))
    line = "2.0 GiB are needed, and 1.0 GiB are free"
    assert str(raised.value) == (
        f"`RIDGELINE_CACHE is a folder that can be written` must hold, but got RIDGELINE_CACHE={tmp_path}: {line}."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["asked.lock"]


def test_a_place_that_is_no_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RIDGELINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"RIDGELINE_CACHE=.*file: (Not a directory|File exists)\.$"):
        made_once(tmp_path / "file/tables/asked", make)
