"""A database's password, which everything that a study writes or says goes without."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf

KEY = "search.storage"
_PASSWORD = re.compile(r"(?<=://)([^:/@?]*):(.*)@|(?<=[?&]password=)[^&]*")

_real: dict[str, str] = {}
"""URLs of this process, by what stands for them."""


def hidden(text: str) -> str:
    """With `***` for the password of a URL, at either place that drivers look for one."""
    return _PASSWORD.sub(lambda found: "***" if found[1] is None else f"{found[1]}:***@", text)


def revealed(url: str) -> str:
    """What `hide_password` was given."""
    return _real.get(url, url)


def hide_password(master: DictConfig, arguments: Sequence[str]) -> list[str]:
    """The arguments, without a password; it is taken out of the configuration too, from which files and runs are made.

    An argument replaces what a file or an environment variable says, for each trial is composed anew.
    """
    url = OmegaConf.select(master, KEY)
    if not isinstance(url, str) or "://" not in url or hidden(url) == url:
        return list(arguments)
    _real[hidden(url)] = url
    kept = [argument for argument in arguments if argument.partition("=")[0].lstrip("+") != KEY]
    kept.append(f"{KEY}={QuotedString(hidden(url), Quote.single).with_quotes()}")
    master.search.storage = hidden(url)
    master.hydra.overrides.task = kept
    master.hydra.job.override_dirname = ",".join(kept)
    return kept
