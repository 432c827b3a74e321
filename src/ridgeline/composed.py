"""What Hydra composed, as plain containers."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf


def plain(config: DictConfig) -> dict[str, Any]:
    """Resolved, without Hydra's own node: what `ridgeline.config.parse` takes."""
    masked = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    tree = OmegaConf.to_container(masked, resolve=True)
    assert isinstance(tree, dict)
    return {str(key): value for key, value in tree.items()}
