"""Settings as they are written in Hydra's grammar, and as they are typed into a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z0-9_./+@-]+")
"""Text that Hydra reads as it stands."""


def setting(key: str, value: Any) -> str:
    """`key=value` in Hydra's grammar, for a value of any kind: text that does not read as it stands is quoted."""
    return f"{key}={_written(value)}"


def pasted(key: str, value: Any) -> str:
    """The same as an argument that a shell takes for one."""
    text = setting(key, value)
    if "'" in text and not set(text) & set('"$`\\!'):  # quoted for Hydra: so it is easier to read
        return f'"{text}"'
    return shlex.quote(text)


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_written(name)}:{_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    if PLAIN.fullmatch(text) and not _is_number(text) and text.lower() not in ("null", "true", "false"):
        return text
    # An interpolation in a quoted value is still one; a text that looks like one is meant as it stands.
    return _quoted(text.replace("${", "\\${"))


def _quoted(text: str) -> str:
    """In single quotes, as Hydra's QuotedString has it: a backslash means itself, but for those before a quote."""
    inner = re.sub(r"(\\*)'", lambda found: f"{found[1] * 2}\\'", text)
    return f"'{inner}{inner[len(inner.rstrip(chr(92))) :]}'"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
