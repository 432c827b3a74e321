"""Pictures of a fit and of a study, 800 pixels wide or more: matplotlib figures that need no window."""

from ridgeline.report.curves import curve_figure
from ridgeline.report.pictures import augmentation_figure
from ridgeline.report.studies import study_figures

__all__ = ["augmentation_figure", "curve_figure", "study_figures"]
