"""What Hydra composed, as plain containers."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf


def plain(config: DictConfig) -> dict[str, Any]:
    """Resolved, without Hydra's own node: what `ridgeline.config.parse` takes."""
    tree = OmegaConf.to_container(without_hydra(config), resolve=True)
    assert isinstance(tree, dict)
    return {str(key): value for key, value in tree.items()}


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy without Hydra's own node, in which unknown keys are refused too."""
    masked = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(masked, True)
    return masked


def as_typed(overrides: Any) -> list[str]:
    """The arguments with their references: reading them one by one would resolve those."""
    texts = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(texts, list)
    return [str(text) for text in texts]
