"""Still pictures of labels, for notebooks that nobody sits before."""

from typing import TYPE_CHECKING

import numpy as np

from .. import boxes, classes, images, labels, plots

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["pictures", "wall"]

_UNREADABLE = (images.UnreadableImage, FileNotFoundError)


def pictures(faces: "pd.DataFrame", *, count: int = 6, columns: int = 3, side: int = 300) -> np.ndarray:
    """The first `count` photos of a table as one sheet, rgb, each with its boxes, words and probabilities drawn."""
    drawn: list[np.ndarray] = []
    names: list[str] = []
    for photo, rows in faces.groupby("image", sort=False):
        if len(drawn) == count:
            break
        try:
            rgb = images.read(str(photo))
        except _UNREADABLE:
            continue
        scale = side / max(rgb.shape[:2])
        small = images.resize(rgb, side)
        if scale < 1:
            rows = rows.assign(**{c: rows[c] * scale for c in ("x1", "y1", "x2", "y2")})
        drawn.append(plots.annotate(small, labels.to_detections(rows)))
        names.append(f"{len(rows)} face{'s' if len(rows) != 1 else ''}")
    return plots.sheet(drawn, names, columns=columns, side=side)


def wall(faces: "pd.DataFrame", *, columns: int = 8, side: int = 104, margin: float = 0.25) -> np.ndarray:
    """The faces of a table as a sheet of crops, rgb: rim in the label's colour, below it the label and what speaks
    against it: "Mask? No mask 93 %" where the model answers otherwise.
    """
    cut, captions, colours = [], [], []
    for row in faces.to_dict("records"):
        try:
            rgb = images.read(row["image"])
        except _UNREADABLE:
            continue
        box = np.array([row[c] for c in ("x1", "y1", "x2", "y2")])
        cut.append(boxes.crop(rgb, box, margin=0.0 if row.get("framing") == "whole" else margin, size=2 * side))
        captions.append(_caption(row))
        colours.append(classes.COLOURS.get(row["label"], (90, 90, 90)))
    return plots.sheet(cut, captions, colours=colours, columns=columns, side=side)


def _caption(row: dict) -> str:
    score = row["score"] if row.get("score") == row.get("score") else None
    answer = row.get("answer") or row["label"]
    if answer == row["label"]:
        return classes.caption(row["label"], score)
    return f"model: {classes.caption(answer)}"
