"""Train on one source, test on another: what a model knows of masks, and not of one collection's pictures."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes
from .measures import measure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cross"]

Predict = Callable[["pd.DataFrame"], np.ndarray]


def cross(
    tables: "Mapping[str, pd.DataFrame]",
    train: "Callable[[pd.DataFrame], Predict]",
    *,
    others: bool = True,
    seed: int = 0,
) -> "pd.DataFrame":
    """Train on each source and test on each other: trained, tested, faces, left_out, balanced_accuracy, low, high.

    tables: {source: table of faces}. train: a table → a callable that gives probabilities (n, 3) of a table's faces;
    it makes its own validation out of what it gets. others adds for each source a training on all the other ones
    ("all but NAME"). Nothing is tested on what it was trained on: a source's own pair is left out, and so are faces
    whose group or photo was in training (left_out counts them). Intervals are over groups, or photos.
    """
    import pandas as pd

    rows = []
    for name, table in tables.items():
        predict = train(table)
        rows += [_pair(name, other, table, tables[other], predict, seed) for other in tables if other != name]
    for name in tables if others and len(tables) > 2 else ():
        rest = pd.concat([table for other, table in tables.items() if other != name], ignore_index=True)
        rows.append(_pair(f"all but {name}", name, rest, tables[name], train(rest), seed))
    columns = ["trained", "tested", "faces", "left_out", "balanced_accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _pair(
    trained: str, tested: str, known: "pd.DataFrame", table: "pd.DataFrame", predict: Predict, seed: int
) -> tuple[Any, ...]:
    apart = table[~(_keys(table).isin(set(_keys(known))) | table["image"].isin(set(known["image"])))]
    apart = apart.reset_index(drop=True)
    answers = np.array(classes.NAMES, object)[np.asarray(predict(apart)).argmax(1)] if len(apart) else []
    told = measure(apart["label"].tolist(), list(answers), units=_keys(apart).tolist(), seed=seed, resamples=500)
    ends = told["balanced_accuracy_95"] or (None, None)
    return trained, tested, len(apart), len(table) - len(apart), told["balanced_accuracy"], *ends


def _keys(table: "pd.DataFrame") -> "pd.Series":
    """What a face belongs to: its group, or its photo where it has none."""
    if "group" not in table:
        return table["image"].astype(str)
    return table["group"].where(table["group"].fillna("").ne(""), table["image"]).astype(str)
