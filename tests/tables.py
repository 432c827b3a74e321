"""The real tables that tests read: the folder RIDGELINE_TABLES, or the one beside the repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ.get("RIDGELINE_TABLES", Path(__file__).parents[1] / "../shared/data/tables"))

needs_tables = pytest.mark.skipif(
    not (FOLDER / "index.json").is_file(), reason="no tables here: RIDGELINE_TABLES=FOLDER with an index.json"
)


def index() -> list[dict[str, Any]]:
    """What is known of each table: file, rows, features, missing cells, target, classes ..."""
    return json.loads((FOLDER / "index.json").read_text()) if (FOLDER / "index.json").is_file() else []
