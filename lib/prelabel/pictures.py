"""Still pictures of labels, for notebooks that nobody sits before."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .. import boxes, classes, images, labels, plots

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["pictures", "wall"]

_GAP = 6
_UNREADABLE = (images.UnreadableImage, FileNotFoundError)


def pictures(faces: "pd.DataFrame", *, count: int = 6, columns: int = 3, width: int = 1200) -> np.ndarray:
    """The first `count` photos of a table side by side, rgb, each with its boxes, words and probabilities drawn.

    A row is `width` pixels wide and holds up to `columns` photos of one height.
    """
    found: list[tuple[np.ndarray, pd.DataFrame]] = []
    for photo, rows in faces.groupby("image", sort=False):
        try:
            found += [(images.read(str(photo)), rows)] if len(found) < count else []
        except _UNREADABLE:
            continue
    strips = [_strip(found[i : i + columns], columns, width) for i in range(0, len(found), columns)]
    gap = np.full((_GAP, width, 3), 255, np.uint8)
    return np.concatenate([part for strip in strips for part in (strip, gap)]) if strips else gap


def _strip(photos: "list[tuple[np.ndarray, pd.DataFrame]]", columns: int, width: int) -> np.ndarray:
    """Photos of one height in a row that is filled where it has all its columns."""
    room = width - _GAP * (len(photos) - 1)
    shapes = [rgb.shape[1] / rgb.shape[0] for rgb, _ in photos]
    high = round(min(room / sum(shapes), width / columns * 1.15))
    row = np.full((high, width, 3), 255, np.uint8)
    x = 0
    for (rgb, rows), shape in zip(photos, shapes, strict=True):
        wide = min(round(high * shape), width - x)
        how = cv2.INTER_AREA if high < rgb.shape[0] else cv2.INTER_LINEAR
        small = cv2.resize(rgb, (wide, high), interpolation=how)
        scaled = rows.assign(**{c: rows[c] * high / rgb.shape[0] for c in ("x1", "y1", "x2", "y2")})
        row[:, x : x + wide] = plots.annotate(small, labels.to_detections(scaled))
        x += wide + _GAP
    return row


def wall(faces: "pd.DataFrame", *, columns: int = 8, side: int = 118, margin: float = 0.25) -> np.ndarray:
    """The faces of a table as a sheet of crops, rgb: the rim is the label's colour, below it stands the label.

    Where the model answers otherwise its answer stands there, with a question mark.
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
    return f"{classes.WORDS.get(answer, answer)}?"
