"""Frames of pandas and polars, as a file can have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.checking import require

if TYPE_CHECKING:
    import pandas as pd


def is_frame(given: Any) -> bool:
    """Not a LazyFrame of polars, which has no rows before `collect`."""
    return not hasattr(given, "collect") and hasattr(given, "columns") and hasattr(given, "dtypes")


def as_pandas(frame: Any) -> pd.DataFrame:
    """A frame of pandas, of polars too, whose columns have different texts as names. Intervals, as of `pd.cut`, are
    texts, and what is sparse has its zeros."""
    found = frame if type(frame).__module__.partition(".")[0] == "pandas" else frame.to_pandas()
    names = [str(name) for name in found.columns]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    require(not twice, "each column has a name of its own", "columns", ", ".join(twice))
    found = found.set_axis(names, axis=1).reset_index(drop=True)
    changed = {name: own for name in names if (own := _changed(found[name])) is not None}
    return found.assign(**changed) if changed else found


def _changed(column: pd.Series) -> Any:
    """None: it is as a file can have it."""
    import pandas as pd

    if isinstance(column.dtype, pd.SparseDtype):
        return column.astype(column.dtype.subtype)
    if isinstance(column.dtype, pd.IntervalDtype):
        return column.astype(object).map(str, na_action="ignore")
    if isinstance(column.dtype, pd.CategoricalDtype) and isinstance(column.dtype.categories, pd.IntervalIndex):
        return column.cat.rename_categories(str)
    return None


def require_one_order(x: Any, y: Any) -> None:
    """Rows and targets go together by their places: what pandas names alike and has in another order is a mistake."""
    import pandas as pd

    ours, theirs = (getattr(one, "index", None) for one in (x, y))
    if not isinstance(ours, pd.Index) or not isinstance(theirs, pd.Index) or ours.equals(theirs):
        return
    is_shuffled = len(ours) == len(theirs) and ours.is_unique and bool(ours.isin(theirs).all())
    cure = "the same labels in another order: y.loc[X.index], or y.to_numpy() if they go together by their places"
    require(not is_shuffled, "X and y have one index, in one order", "y", cure)
