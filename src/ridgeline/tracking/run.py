"""A handle to one MLflow run. Logging hands over to the writer and returns at once."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from mlflow.entities import Metric, RunTag

from ridgeline.tracking import provenance
from ridgeline.tracking.entries import Batch, Call
from ridgeline.tracking.names import metric_name
from ridgeline.tracking.store import Store
from ridgeline.tracking.writer import Writer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

State = Literal["COMPLETE", "PRUNED", "FAILED", "INTERRUPTED"]

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAILED": "FAILED", "INTERRUPTED": "KILLED"}
"""MLflow's own status has no word for a pruned or an interrupted trial; the tag `ridgeline.state` has."""

LONGEST_TAG = 5000


class Run:
    """A run that is being written. `name` is for messages."""

    def __init__(self, writer: Writer, run_id: Future[str], name: str) -> None:
        self._writer = writer
        self._id = run_id
        self._name = name
        self._not_finite: list[str] = []
        self.is_open = True
        self.proof: Call | None = None
        """The writing of the first artifact that every run of this kind has; None: this run has none."""

    @property
    def id(self) -> str:
        """MLflow's id. Waits for the store to create the run; TrackingError if it cannot."""
        return str(self._writer.answer(self._id, f"start of {self._name}"))

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Metrics after an epoch (for a study: after so many trials). NaN and infinities are left out.

        What is one number has another prefix in MLflow: see `tracking.names`.
        """
        now = time.time_ns() // 1_000_000  # ms
        finite = {metric_name(key): float(value) for key, value in metrics.items() if math.isfinite(value)}
        self._not_finite += [f"{k}={value} at step {epoch}" for k, value in metrics.items() if not math.isfinite(value)]
        if finite:
            points = [Metric(key, value, now, epoch) for key, value in finite.items()]
            self._writer.log(Batch(self._id, metrics=points))

    def log_metrics(self, final: Mapping[str, float]) -> None:
        """Log the final metrics, one number each. Their names must differ from those of the curves."""
        self.log_epoch(0, final)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tags; a long value is cut, as some stores take no more."""
        self._writer.log(Batch(self._id, tags=[RunTag(key, str(value)[:LONGEST_TAG]) for key, value in tags.items()]))

    def log_text(self, text: str, artifact_path: str) -> Call:
        """Text as an artifact, `config.yaml` or `tables/trials.csv`."""
        return self._log_bytes(text.encode(), artifact_path)

    def prove(self) -> None:
        """Wait until the run's first artifact is written, but not for a store that is away.

        Raises TrackingError where the store takes none; then the run is FAILED.
        """
        if self.proof is None:
            return
        self._writer.wait(self.proof.answer)
        if self.proof.answer.done() and (error := self.proof.answer.exception()) is not None:
            self.finish("FAILED", str(error))
            raise error

    def log_figure(self, figure: Figure, artifact_path: str) -> None:
        """A picture, as PNG. Drawn at once, for matplotlib knows no threads, and once: `savefig` would do it again."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.image import imsave

        canvas, drawn = figure.canvas, BytesIO()
        if not isinstance(canvas, FigureCanvasAgg) or figure.stale:
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
        imsave(drawn, canvas.buffer_rgba(), format="png", origin="upper", dpi=figure.dpi)
        self._log_bytes(drawn.getvalue(), artifact_path)

    def log_file(self, path: Path | str, artifact_folder: str | None = None) -> None:
        """A file, which must stay as it is until the run is finished. Raises FileNotFoundError at once."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path} to log.")

        def upload(store: Store) -> None:
            store.client.log_artifact(self._id.result(0), str(path), artifact_folder)

        self._writer.call(Call(f"{path.name} of {self._name}", upload), self._id)

    def interrupt(self, reason: str) -> None:
        """Close the run of a trial that nobody trains any more, before all else that is not written yet."""
        tags = {provenance.STATE: "INTERRUPTED", provenance.REASON: reason}
        self._writer.first(Batch(self._id, tags=[RunTag(key, value) for key, value in tags.items()]))
        self._writer.first(self._ending("INTERRUPTED"))

    def finish(self, state: State, reason: str | None = None, *, wait: bool = True) -> None:
        """Close the run; wait until all of it is written, but not for a store that is away: `Tracker.close` does."""
        reasons = [reason] if reason else []
        if self._not_finite:
            more = f" and {len(self._not_finite) - 3} more" if len(self._not_finite) > 3 else ""
            reasons.append(f"not finite: {', '.join(self._not_finite[:3])}{more}")
        self.set_tags({provenance.STATE: state} | ({provenance.REASON: "; ".join(reasons)} if reasons else {}))
        ending = self._writer.call(self._ending(state), self._id)
        if wait:
            self._writer.wait(ending.answer)

    def _ending(self, state: State) -> Call:
        self.is_open, ended = False, time.time_ns() // 1_000_000  # ms

        def end(store: Store) -> None:
            store.end(self._id.result(0), STATUS[state], ended)

        return Call(f"end of {self._name}", end)

    def _log_bytes(self, content: bytes, artifact_path: str) -> Call:
        target = PurePosixPath(artifact_path)
        folder = str(target.parent) if target.parent.name else None

        def upload(store: Store) -> None:
            with tempfile.TemporaryDirectory() as temporary:
                file = Path(temporary) / target.name
                file.write_bytes(content)
                store.client.log_artifact(self._id.result(0), str(file), folder)

        return self._writer.call(Call(f"{artifact_path} of {self._name}", upload), self._id)


class StudyRun(Run):
    """The parent run of a study, which `started` at that second of the wall clock, in the `experiment` with this id."""

    def __init__(self, writer: Writer, run_id: Future[str], name: str, started: float, experiment: str) -> None:
        super().__init__(writer, run_id, name)
        self.started = started
        self.experiment = experiment
