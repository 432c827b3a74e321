"""The end of a study before its goal."""

INTERRUPTED_CODE = 130
"""Exit code after Ctrl-C, as shells have it."""


class StudyStopped(Exception):
    """A study ended before its goal, or without a result: one line that says why. `code` is the exit code."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code
