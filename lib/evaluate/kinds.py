"""Look-alikes that people marked on real bare faces: how often a hand, a beard or a scarf is taken for a mask."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, boxes, classes, dataset, images
from .answers import aligned
from .intervals import share

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["false_masks", "marked"]

BOX = ["x1", "y1", "x2", "y2"]
COLUMNS = ("file", *BOX, "kind")


def marked(
    path: str | Path, *, roots: Sequence[str | Path] = (), find: Callable[[np.ndarray], Any] | None = None
) -> tuple["pd.DataFrame", list[str]]:
    """Read marked faces (CSV: file, x1, y1, x2, y2, kind, …): (rows with column image, the files that are not there).

    Every one is a bare face; an empty box means the one face of its picture, which `find` sees (the whole picture where
    it sees none). A file's name is looked for below the roots, then beside the CSV. Raises ValueError where a column is
    missing or a box is no box.
    """
    import pandas as pd

    path = Path(path)
    rows = pd.read_csv(path)
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise ValueError(f"{path.name}: needs the columns {', '.join(COLUMNS)}; {', '.join(missing)} is not there")
    xyxy = rows[BOX].to_numpy(float)
    wrong = ~((xyxy[:, 2:] > xyxy[:, :2]).all(1) | np.isnan(xyxy).all(1))
    if wrong.any():
        raise ValueError(f"{path.name}: line {2 + int(wrong.argmax())} has no box, and is not without one")
    places = [*(Path(root) for root in roots), path.parent]
    found = {name: next((str(p / name) for p in places if (p / name).is_file()), "") for name in rows["file"].unique()}
    rows = rows.assign(image=rows["file"].map(found)).query("image != ''").reset_index(drop=True)
    return _framed(rows, find), sorted(name for name, image in found.items() if not image)


def _framed(rows: "pd.DataFrame", find: Callable[[np.ndarray], Any] | None) -> "pd.DataFrame":
    """The rows with the face of its picture for an empty box."""
    empty = rows["x1"].isna()
    rows = rows.assign(framing=empty.map({True: "whole", False: "labelled"}))
    for row in np.flatnonzero(empty):
        rows.loc[row, BOX] = [0.0, 0.0, *map(float, images.size(rows.loc[row, "image"]))]
    return dataset.locate(rows, find) if empty.any() else rows


def false_masks(
    faces: "pd.DataFrame", classify: Any, *, progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """How often marked bare faces are called masked: (rows kind, faces, false_masks, rate, low, high, worn_incorrectly;
    the faces with columns answer and sure).

    faces: as `marked` gives them; classify: a `detect.Classifier`. A false mask is the answer with_mask; answers of
    the third class are counted beside it. Then follow all kinds together and, where there is a column learnt that is
    True for some, those that are not. Intervals are Wilson's, 95 %.
    """
    import pandas as pd

    def one(image: str) -> tuple[str, np.ndarray]:
        rgb, xyxy = images.read(image), faces.loc[faces["image"] == image, BOX].to_numpy(float)
        crops = [boxes.crop(rgb, box, margin=classify.margin, size=classify.input_size) for box in xyxy]
        return image, aligned(classify(np.stack(crops)), classify.classes)

    answers, _ = batch.run(one, sorted(faces["image"].unique()), progress=progress)
    parts = [
        faces[faces["image"] == image].assign(answer=np.array(classes.NAMES)[p.argmax(1)], sure=p.max(1))
        for image, p in answers
    ]
    said = pd.concat(parts, ignore_index=True) if parts else faces.assign(answer="", sure=0.0).iloc[:0]
    rows = [_row(kind, part) for kind, part in said.groupby("kind", sort=True)] + [_row("all", said)]
    if "learnt" in said and said["learnt"].any():
        rows.append(_row("all that the model did not learn from", said[~said["learnt"]]))
    names = ["kind", "faces", "false_masks", "rate", "low", "high", "worn_incorrectly"]
    return pd.DataFrame(rows, columns=names), said


def _row(kind: Any, part: "pd.DataFrame") -> tuple[Any, ...]:
    false = int((part["answer"] == classes.NAMES[0]).sum())
    return str(kind), len(part), false, *share(false, len(part)), int((part["answer"] == classes.NAMES[2]).sum())
