"""Passwords and tokens in addresses: `***` stands for them in all that is written, stored or said.

An address is concealed where it comes in, before anything else reads it, and revealed where it is opened. Child
processes learn of it by their environment, which no other user can read, as a command line can be.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from ridgeline.checking import ConfigError

BLANK = "***"
ENVIRONMENT = "RIDGELINE_CONCEALED"
SHORTEST = 6
"""The shortest password that is looked for in texts: a shorter one may be part of any word."""

_WORDS = r"password|passwd|pwd|passphrase|token|secret|credential|signature|api_?key|access_?key|auth"
_PARAMETER = re.compile(rf"(?i)(?<=[?&;#])([\w.%-]*(?:{_WORDS})[\w.%-]*=)([^&;#\s]+)")
_USER = re.compile(r"(?<=://)([^:/@?#]*:)(.+)(?=@)")
"""User and password of an address, up to its last @: a password may hold a / and an @."""
_USER_IN_TEXT = re.compile(r"(?<=://)([^:/@?#\s'\"]*:)([^/@\s'\"]+)(?=@)")
"""The same inside of a longer text. It stops at a /, since a later @ need not belong to the address."""
_TOKEN_AS_USER = re.compile(r"((?<=http://)|(?<=https://))([^:/@?#]+)(?=@)")


def _known() -> dict[str, str]:
    real: dict[str, str] = json.loads(os.environ.get(ENVIRONMENT, "{}"))
    return real


_real = _known()
"""Addresses of this process and its parents, by what stands for them."""
_secrets: set[str] = set()


def hidden(address: str) -> str:
    """The address with `***` for its passwords and tokens, wherever drivers and servers look for one."""
    return _without_secrets(address)[0]


def conceal(address: str) -> str:
    """The address to use from now on: the same one, or with `***` for the secret that it holds."""
    shown = hidden(address)
    if shown != address:
        remember(shown, address)
    return shown


def remember(shown: str, real: str) -> None:
    """`revealed(shown)` is `real`, here and in the processes that are started from now on."""
    _real[shown] = real
    os.environ[ENVIRONMENT] = json.dumps(_real)
    _look_out_for(real)


def revealed(address: str) -> str:
    """The address with its secret. `***` stays in it if the secret is not known in this process."""
    return _real.get(address, address)


def require_secret(key: str, address: str | None) -> None:
    """Raise ConfigError where the address of this key is a stored one, and its secret was not given again."""
    if address is not None and "://" in address and BLANK in revealed(address):
        raise ConfigError(f"The password of {key} is stored nowhere: add {key}=URL with it, but got {address}.")


def hidden_everywhere(text: str) -> str:
    """Any text without the secrets that this process was given (typed, decoded, encoded) or that are plain to see."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, BLANK)
    if "://" in text:  # an address that nobody gave to this process: of a file that is shown as it is, say
        text = _PARAMETER.sub(rf"\1{BLANK}", _USER_IN_TEXT.sub(rf"\1{BLANK}", text))
    return text


def conceal_tree(node: Any) -> Any:
    """A plain configuration with each of its addresses concealed."""
    if isinstance(node, Mapping):
        return {key: conceal_tree(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [conceal_tree(value) for value in node]
    return conceal(node) if isinstance(node, str) and "://" in node else node


def _without_secrets(address: str) -> tuple[str, list[str]]:
    secrets: list[str] = []

    def hide(found: re.Match[str]) -> str:
        secrets.extend([found[2]] if found[2] != BLANK else [])
        return f"{found[1]}{BLANK}"

    if "://" in address:
        for pattern in (_PARAMETER, _USER, _TOKEN_AS_USER):
            address = pattern.sub(hide, address)
    return address, secrets


def _look_out_for(address: str) -> None:
    for secret in _without_secrets(address)[1]:
        plain = unquote(secret)
        forms = {secret, plain, quote(plain, safe=""), quote(plain), repr(plain)[1:-1]}
        _secrets.update(form for form in forms if len(form) >= SHORTEST)


for _address in _real.values():
    _look_out_for(_address)
