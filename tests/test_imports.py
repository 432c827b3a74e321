"""How the files of src/ import each other."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def test_no_file_is_part_of_a_circle() -> None:
    """Imports for types and those inside functions count; so does a package's own `__init__`."""
    graph = grimp.build_graph("ridgeline", "ridgeline_recipes", "hydra_plugins.ridgeline", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imported) > 100
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
