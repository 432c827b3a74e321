"""Regularizers are effects: each is one file, which nothing else names."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys

import pytest
import yaml

from ridgeline.config import AugmentationConfig, RegularizationConfig
from ridgeline.entry_points import ROOT
from ridgeline.regularizers import all_effects
from ridgeline.strengths import strengths_of
from settings import small

FOLDER = ROOT / "src" / "ridgeline"
SHARED = {"effect", "penalized"}
"""Files of regularizers/ that are no effect."""


def imported(source: str) -> set[str]:
    """The files of regularizers/ that a source names."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    modules = [str(node.module) for node in nodes if str(node.module).startswith("ridgeline.regularizers.")]
    return {module.split(".")[2] for module in modules}


def test_nothing_outside_names_a_regularizer() -> None:
    for path in [path for path in FOLDER.rglob("*.py") if path.parent.name != "regularizers"]:
        assert imported(path.read_text()) <= SHARED, path


def test_reading_the_declarations_imports_no_torch() -> None:
    program = "import sys, ridgeline.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("group", "kind"), [("regularization", RegularizationConfig), ("augmentation", AugmentationConfig)]
)
def test_a_file_of_conf_has_each_key_with_its_default(group: str, kind: type) -> None:
    written = yaml.safe_load((ROOT / "conf" / group / "none.yaml").read_text())
    assert written == {field.name: field.default for field in dataclasses.fields(kind) if field.name != "own"}


def test_each_strength_is_that_of_one_effect_which_it_alone_switches_on() -> None:
    for group in ("regularization", "augmentation"):
        for name in strengths_of(getattr(small(), group)):
            values = dataclasses.replace(getattr(small(), group), **{name: 0.1})
            on = [effect for effect in all_effects() if effect.is_on(dataclasses.replace(small(), **{group: values}))]
            assert len(on) == 1
            assert name in strengths_of(on[0].settings)
    assert not any(effect.is_on(small()) for effect in all_effects())
