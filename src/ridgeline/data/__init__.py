"""A data set is tensors on the device: the train and the validation part. The test part is behind `data.test_split`."""

from ridgeline.data.scaling import Scaling
from ridgeline.data.splits import DataDescription, Examples, Part, Splits, TestSplitLocked, load_splits

__all__ = ["DataDescription", "Examples", "Part", "Scaling", "Splits", "TestSplitLocked", "load_splits"]
