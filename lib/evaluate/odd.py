"""Boxes that look odd by their numbers alone."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import boxes, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["odd"]

BOX = ["x1", "y1", "x2", "y2"]
TINY = 10  # pixels of the shorter side; nobody can tell a mask on it
LONG = 2.2  # times longer than wide, or the other way
TWICE = 0.6  # IoU of two boxes of one photo that are one face
ALL = 0.95  # share of the photo that a labelled box may fill


def odd(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Odd boxes of a table of faces, at most one reason a face: rows of row, kind, reason.

    kind: "boxed twice" (the smaller of two; another class is said), "past the edge", "whole photo", "long box", "tiny
    box", and for photos of class folders "no face found".
    """
    table = table.reset_index(drop=True)
    told = table["framing"].to_numpy(str) if "framing" in table else np.full(len(table), "labelled")
    found: dict[int, tuple[str, str]] = {}
    for image, rows in table.groupby("image", sort=True).indices.items():
        size = images.size(str(image))
        drawn = np.array([row for row in rows if told[row] == "labelled"], int)
        found |= {int(row): _alone(table.loc[row, BOX].to_numpy(float), size) for row in drawn}
        found |= _twice(table, drawn)
        lone = [row for row in rows if told[row] == "whole"]
        found |= {int(row): ("no face found", "the face finder sees none in this picture") for row in lone}
    return [{"row": row, "kind": kind, "reason": why} for row, (kind, why) in sorted(found.items()) if kind]


def _alone(box: np.ndarray, size: tuple[int, int]) -> tuple[str, str]:
    w, h = (box[2:] - box[:2]).tolist()
    past = max(-box[0], -box[1], box[2] - size[0], box[3] - size[1])
    if past > 0:
        return "past the edge", f"ends {past:g} px past the edge of {size[0]} × {size[1]}"
    if w * h > ALL * size[0] * size[1]:
        return "whole photo", f"fills the photo of {size[0]} × {size[1]}"
    if min(w, h) < TINY:
        return "tiny box", f"{w:g} × {h:g} px"
    if max(w / h, h / w) > LONG:
        return "long box", f"{w:g} × {h:g} px"
    return "", ""


def _twice(table: "pd.DataFrame", rows: np.ndarray) -> dict[int, tuple[str, str]]:
    xyxy, labels = table.loc[rows, BOX].to_numpy(float), table.loc[rows, "label"].to_numpy(str)
    overlap = np.triu(boxes.iou(xyxy, xyxy), 1)
    result = {}
    for i, j in np.argwhere(overlap > TWICE):
        less, more = sorted((i, j), key=lambda k: boxes.area(xyxy[k : k + 1])[0])
        said = "of the same class" if labels[i] == labels[j] else f"that says {labels[more]}"
        result[int(rows[less])] = "boxed twice", f"{100 * overlap[i, j]:.0f} % the same as a box {said}"
    return result
