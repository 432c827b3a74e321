"""What is raised where the test split is locked."""

from __future__ import annotations


class SplitLocked(RuntimeError):
    """The test split was asked for by another entry point than those that confirm."""

    def __init__(self) -> None:
        super().__init__("The test split is locked: pipelines/confirm.py and pipelines/case_study.py alone open it.")
