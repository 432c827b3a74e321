"""How the files of src/ import each other."""

from __future__ import annotations

import re
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions

import grimp
import pytest

from ridgeline.command_line.places import ROOT

OURS = ("ridgeline", "ridgeline_recipes", "hydra_plugins.ridgeline")


def test_no_file_is_part_of_a_circle() -> None:
    """Imports for types and those inside functions count; so does a package's own `__init__`."""
    graph = grimp.build_graph(*OURS, cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imported) > 100
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_package_that_is_imported_is_declared() -> None:
    """A wheel brings what pyproject.toml names, and what those packages bring today may be gone tomorrow."""
    graph = grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)
    imported = {module.partition(".")[0] for module in graph.modules if graph.is_module_squashed(module)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["ray"], *extras["postgres"]]
    declared = {re.split(r"[^\w.-]", line)[0].lower() for line in named}
    found = packages_distributions()
    for module in imported - sys.stdlib_module_names:
        distributions = found.get(module, [module])  # an extra may be missing here
        assert {name.lower() for name in distributions} & declared, module


def test_looking_at_a_network_does_not_import_the_compiler() -> None:
    """Half a second in each process that starts. torch wraps the methods of a mode that would tell Dynamo."""
    from ridgeline.networks.stacking.one_pass import _Reading

    assert not hasattr(_Reading.__torch_dispatch__, "__wrapped__")
