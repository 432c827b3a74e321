"""A pipeline finds its own conf/ after the user's; other Hydra apps of the environment are left alone."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from hydra_plugins.ridgeline.sweeper import RidgelineSweeper
from ridgeline.command_line import own_conf

OPTUNA = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"


class OursAfterOwn(SearchPathPlugin):
    """Hydra asks it for each app that it starts."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if own_conf.add_ours(search_path):
            # A file that was written for that plugin names its sweeper; ours reads what else it says.
            Plugins.instance().class_name_to_class[OPTUNA] = RidgelineSweeper
