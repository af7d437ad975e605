"""The table of faces that every format is read into and written from."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = ["COLUMNS", "EXTRAS", "NUMBERS", "SAID", "table", "to_detections"]

COLUMNS = ("image", "x1", "y1", "x2", "y2", "label", "source", "origin", "group", "parent", "split", "score")
NUMBERS = frozenset({"x1", "y1", "x2", "y2", "score", "doubt"})
EXTRAS = ("origin", "score", "answer", "doubt", "framing", "parent")  # our own elements in VOC and COCO
SAID = ("pose", "truncated", "difficult")  # labelImg's elements; columns of a table only where they say something


def table(rows: Iterable[Mapping[str, Any]] = ()) -> "pd.DataFrame":
    """Build a table of faces from rows: all of COLUMNS are there, in order and typed, then the rows' own columns.

    Missing text is "", a missing score NaN. Raises ValueError for a box that is missing, not finite or inside out.
    """
    import pandas as pd

    frame = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    extra = [name for name in frame.columns if name not in COLUMNS]
    columns = {}
    for name in (*COLUMNS, *extra):
        values = frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)
        if name in NUMBERS:
            columns[name] = values.astype("float64")
        elif name in COLUMNS or name in (*EXTRAS, *SAID) or not len(frame):
            columns[name] = values.where(values.notna(), "").astype("str")
        else:
            columns[name] = values
    result = pd.DataFrame(columns).reset_index(drop=True)
    _check_boxes(result[["x1", "y1", "x2", "y2"]].to_numpy())
    return result


def _check_boxes(xyxy: np.ndarray) -> None:
    wrong = ~(np.isfinite(xyxy).all(1) & (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1]))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"table: row {row} needs x1 < x2 and y1 < y2, got {tuple(xyxy[row].tolist())}")


def to_detections(faces: "pd.DataFrame") -> "sv.Detections":
    """The faces of one photo as supervision.Detections, for `plots.annotate`.

    Scores are kept where every face has one that speaks of its label, not of another answer of the model's.
    """
    import supervision as sv

    names = faces["label"].to_numpy(dtype=object)
    scores = faces["score"].to_numpy(float)
    if "answer" in faces:
        scores = np.where((faces["answer"] == "") | (faces["answer"] == faces["label"]), scores, np.nan)
    return sv.Detections(
        xyxy=faces[["x1", "y1", "x2", "y2"]].to_numpy(np.float32).reshape(-1, 4),
        confidence=None if np.isnan(scores).any() or not len(faces) else scores,
        class_id=np.array([classes.NAMES.index(n) if n in classes.NAMES else -1 for n in names], int),
        data={"class_name": names.astype(str) if len(faces) else np.empty(0, str)},
    )
