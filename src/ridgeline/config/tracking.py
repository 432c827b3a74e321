"""Settings of the group `tracking`: where runs are recorded."""

from __future__ import annotations

from dataclasses import dataclass

from ridgeline.checking import require


@dataclass(frozen=True)
class TrackingConfig:
    """Where MLflow keeps runs (`uri=null`: SQLite under the runs folder); of how many best trials weights are kept.

    `keep_members`: of how many of them the weights stay in their job folders, so that an ensemble can be selected among
    them: fewer where these would take more than 256 MiB beside those of `keep_weights`.

    `pictures`: whether a study's end draws it, and the curves of those trials: a second or two.

    `allowed_targets`: packages whose functions a configuration that is read back may name, besides `stored_config`'s.
    """

    uri: str | None = None
    experiment: str = "ridgeline"
    keep_weights: int = 3
    keep_members: int = 32
    pictures: bool = True
    allowed_targets: tuple[str, ...] = ()

    def check(self) -> None:
        require(self.experiment != "", "tracking.experiment is not empty", "tracking.experiment", self.experiment)
        require(self.keep_weights >= 0, "tracking.keep_weights >= 0", "tracking.keep_weights", self.keep_weights)
        require(self.keep_members >= 0, "tracking.keep_members >= 0", "tracking.keep_members", self.keep_members)
        for prefix in self.allowed_targets:
            rule = "tracking.allowed_targets[i] is a package, as in mine. or mine.networks."
            words = prefix.rstrip(".").split(".")
            require(all(word.isidentifier() for word in words), rule, "tracking.allowed_targets", prefix)
