"""What a machine and its surroundings set limits to: one line where they are reached, and no limit that is none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from ridgeline.config import ConfigError
from ridgeline.data import Splits, describe
from ridgeline.entry_points import ROOT
from ridgeline.networks.stacking.dropouts import Dropout
from ridgeline.processes import LONGEST_FOLDER, _short_temporary_folder
from ridgeline.stack.fitting import fit
from ridgeline.trial.requirements import check_trainer
from settings import small
from sweeping import Studies

pytestmark = pytest.mark.alone

PROCESSORS = os.cpu_count() or 1
TOO_MUCH: dict[str, dict[str, Any]] = {
    f"`trainer.num_threads <= {PROCESSORS}, the processors of this machine,` must hold, but got": {
        "trainer__num_threads": 100000
    },
    "must hold, but got network.hidden=[1000000000].": {"network__hidden": [1000000000]},
    "must hold, but got network.hidden=[1000000, 1000000].": {"network__hidden": [1000000, 1000000]},
}


@pytest.mark.parametrize("line", TOO_MUCH)
def test_more_than_the_machine_has_is_refused_in_one_line(line: str) -> None:
    config = small(**TOO_MUCH[line])
    with pytest.raises(ConfigError) as refused:
        check_trainer(config, describe(config.data))
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "sweep",
    ["network.hidden=[8],[1000000000]", "trainer.num_threads=1,100000", "trainer.num_threads=1,100000 seed=1,2"],
)
def test_swept_values_beyond_the_machine_are_refused_before_the_first_trial(sweep: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of this machine"):
        Studies(tmp_path, tmp_path / "mlflow.db").plan(*sweep.split())
    assert list(tmp_path.iterdir()) == []


SLURM = {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"}
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "7"}
OTHERS = {"LSB_JOBID": "7", "LSB_DJOB_RANKFILE": "nowhere", "JSM_NAMESPACE_SIZE": "2", "KUBERNETES_PORT": "tcp://1"}


@pytest.mark.parametrize("variables", [SLURM, TORCHRUN, OTHERS], ids=["slurm", "torchrun", "others"])
def test_training_takes_no_cluster_from_the_environment(
    digits: Splits, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = small(trainer__max_epochs=1, trainer__checkpoint_interval=0)
    (undisturbed,) = fit([config], digits)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (result,) = fit([config], digits, job_dir=tmp_path)
    assert result.history == undisturbed.history
    assert (tmp_path / "last.ckpt").exists()


def test_servers_socket_has_a_short_path_and_tempfile_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("l" * LONGEST_FOLDER)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with _short_temporary_folder():
        assert len(tempfile.gettempdir()) <= LONGEST_FOLDER
    assert tempfile.gettempdir() == str(long)


@pytest.mark.parametrize("name", ["dropout", "input_dropout", "dropconnect"])
def test_rate_that_sixteen_bits_cannot_draw_is_refused(name: str) -> None:
    small(**{f"regularization__{name}": 1 - 2.0**-16})
    for rate in (1 - 1.5 * 2.0**-17, 1 - 2.0**-17, 1 - 2.0**-18, 1 - 2.0**-53):
        with pytest.raises(ConfigError, match=rf"`{name} <= 1 - 2\*\*-16 .* must hold, but got .*{name}=0.9999"):
            small(**{f"regularization__{name}": rate})


@pytest.mark.parametrize("rate", [0.5, 0.999, 0.9999, 1 - 1.5 * 2.0**-16, 1 - 2.0**-16])
def test_dropout_leaves_the_mean_as_it_is_up_to_the_largest_rate(rate: float) -> None:
    """Over all that 16 bits can be, each once: within the rounding of a rate to 2**-16."""
    dropout = Dropout(2, 65536, dtype=torch.float32, device=torch.device("cpu"))
    dropout.set_rates([rate, 0.0])
    dropout.bits = torch.arange(-32768, 32768).to(torch.int16).expand(2, 1, -1)
    dropped, kept = dropout(torch.ones(2, 1, 65536)).double().mean(dim=2)
    assert kept.item() == 1
    assert dropped.item() == pytest.approx(1, rel=1e-2)


def train(folder: Path, *words: str, limit: str = "true", **variables: str) -> subprocess.CompletedProcess[str]:
    command = f'{limit}; exec "$0" "$@"'
    words = (str(ROOT / "pipelines" / "train.py"), *words, f"runs={folder}/runs", "trainer.max_epochs=1")
    given = ["bash", "-c", command, sys.executable, *words]
    return subprocess.run(given, env={**os.environ, **variables}, capture_output=True, text=True, timeout=300)


@pytest.mark.verify
def test_training_without_memory_ends_in_one_line(tmp_path: Path) -> None:
    ended = train(tmp_path, "network.hidden=[12000,12000]", limit="ulimit -d 1500000")
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert "The training failed: it needs more memory than there is" in line


@pytest.mark.verify
def test_study_trains_where_temporary_files_have_long_paths(tmp_path: Path) -> None:
    folder = tmp_path / ("t" * 80)
    folder.mkdir()
    ended = train(tmp_path, "-m", "data=wine", "seed=1,2", TMPDIR=str(folder))
    assert ended.returncode == 0, ended.stderr
    assert "2 complete" in ended.stdout
