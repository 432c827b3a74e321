"""docs/tutorial.md and docs/tutorial.ipynb: what stands there works as it stands there, but for shorter searches."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ridgeline.entry_points import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(FILE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SHORTER = {
    "search.n_trials=32": "search.n_trials=4",
    "confirm.seeds=10": "confirm.seeds=2 confirm.top=1 confirm.selection_seeds=2",
    "confirm(seeds=5)": "confirm(seeds=2, top=1, selection_seeds=2)",
}
NO_CHAMPION = "No champion: the baseline is better."
NO_CHAMPION_OF = "regularization harms, so its winner was not registered"
RUN_CELLS = Path(__file__).with_name("notebook_cells.py")


def test_the_tutorial_has_each_step_once() -> None:
    steps = ("make_churn", "prepare", "train", "confirm", "report", "predict", "mlflow models serve", "curl")
    assert [[step for step in steps if step in command] for command in COMMANDS] == [
        ["make_churn"],
        ["prepare"],
        ["train"],
        ["confirm"],
        ["report"],
        ["predict"],
        ["mlflow models serve"],
        ["curl"],
    ]


@pytest.mark.verify
def test_the_tutorial_goes_from_a_table_to_a_served_champion(tmp_path: Path) -> None:
    made, prepare, search, confirm, report, predict, serve, ask = COMMANDS
    (tmp_path / "make_churn.py").write_text(FILE)
    _run(made, tmp_path)
    for looks_wrong in ("the column refund gives the target away", "contract_id looks like an identifier"):
        assert looks_wrong in PAGE
        assert looks_wrong in (said := _run(prepare, tmp_path))
    assert [line for line in _table_of(PAGE) if line not in _table_of(said)] == []
    assert "4 complete, 0 pruned, 0 failed" in _run(search, tmp_path)
    (study,) = (tmp_path / "mlruns" / "studies").iterdir()
    confirmed = _run(confirm.replace("NAME", study.name), tmp_path)
    _run(report.replace("NAME", study.name), tmp_path)
    drawn = (study / "report.html").read_text()
    assert "<dt>Target" in drawn
    assert "95% intervals by how many groups of examples it has" in drawn
    if NO_CHAMPION in confirmed:  # a verdict like any other, of so few trials on another processor
        return
    assert "Champion: models:/ridgeline-churn@champion, version 1" in confirmed, confirmed
    _run(predict, tmp_path)
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert list(rows[0]) == ["contract_id", "prediction", "probability_left", "probability_stayed"]
    assert len(rows) == 200

    port = _free_port()
    with _served(serve.replace("5001", str(port)), tmp_path, port):
        answer = json.loads(_run(ask.replace("5001", str(port)), tmp_path))
    (shares,) = answer["predictions"]
    assert list(shares) == ["left", "stayed"]
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.verify
def test_the_notebook_says_again_what_it_says_on_the_page(tmp_path: Path) -> None:
    """Its cells, in order, in one plain process. The outputs of cells that are marked so do not vary, but that there is
    no champion where regularization harms."""
    notebook, out = tmp_path / "tutorial.ipynb", tmp_path / "outputs.json"
    notebook.write_text(_shorter(NOTEBOOK.read_text()))
    _run(f"python {RUN_CELLS} {notebook} {out}", tmp_path)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    outputs = json.loads(out.read_text())
    same = [n for n, cell in enumerate(cells) if "same" in cell["metadata"].get("tags", ())]
    assert len(same) >= 3
    shown = {n: "".join(cells[n]["outputs"][0]["data"]["text/plain"]) for n in same}
    refused = {n for n in same if NO_CHAMPION_OF in str(outputs[n])}
    assert {n: outputs[n] for n in same if n not in refused} == {n: shown[n] for n in same if n not in refused}
    assert len(refused) < len(same)


def _run(command: str, folder: Path) -> str:
    ended = subprocess.run(
        ["bash", "-euc", _shorter(command)],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _shorter(command: str) -> str:
    for written, shorter in SHORTER.items():
        command = command.replace(written, shorter)
    return command.replace("python pipelines", f"python {ROOT}/pipelines")


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "RIDGELINE_RUNS": str(folder / "mlruns"), "PATH": path}


def _table_of(text: str) -> list[str]:
    """The lines about columns, as far as the page has them."""
    rows = re.findall(r"^[a-z]\w+ +(?:number|category|date|text|boolean) .*$", text, re.MULTILINE)
    assert rows
    return rows


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _served(command: str, folder: Path, port: int) -> Iterator[None]:
    """While the model answers at this port."""
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-euc", command],
            cwd=folder,
            env=_environment(folder),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for _ in range(900):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1):
                break
            assert process.poll() is None, (folder / "serve.log").read_text()
            time.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
