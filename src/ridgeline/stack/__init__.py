"""K fits that differ only in knobs, trained as one model."""

from ridgeline.stack.fitting import fit, pick_device
from ridgeline.stack.module import Stack
from ridgeline.stack.records import FitRecord, FitResult, Row, TrialFailed

__all__ = ["FitRecord", "FitResult", "Row", "Stack", "TrialFailed", "fit", "pick_device"]
