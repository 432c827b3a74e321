"""A pipeline finds its own conf/ after the user's; other Hydra apps of the environment are left alone."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from ridgeline.command_line import own_conf


class OursAfterOwn(SearchPathPlugin):
    """Hydra asks it for each app that it starts."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        own_conf.add_ours(search_path)
