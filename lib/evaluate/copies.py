"""Copies of one photo that carry different labels: at most one of them is right."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import batch, boxes, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contradictions", "laid_over"]

BOX = ["x1", "y1", "x2", "y2"]
SIDE = 640  # pixels of the longer side at which copies are compared
POINTS, AGREEING = 1500, 25  # corners looked for; how many must move alike for one photo to show the other
SAME, INSIDE = 0.4, 0.8  # IoU of one face in two copies; share of a box that the other copy must show
LARGE = 12  # pixels: of smaller faces nobody wonders that one copy lacks a box


def contradictions(
    table: "pd.DataFrame",
    twins: "pd.DataFrame",
    *,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> list[dict[str, Any]]:
    """Faces whose copies in other photos have another class, or no box: rows of row, kind, reason, other.

    twins: groups of copies, as `dedupe.groups` gives them. Copies may be scaled, cropped or mirrored: they are laid one
    over the other by their corners, and pairs that do not fit are left aside. row: place of the face in the table.
    kind: "copies disagree" or "boxed in one copy". other: the copy's file.
    """
    table = table.reset_index(drop=True)
    rows_of = {str(image): np.asarray(rows) for image, rows in table.groupby("image", sort=True).indices.items()}
    pairs = []
    for _, group in twins[twins["image"].astype(str).isin(rows_of)].groupby("group", sort=True):
        members = sorted(set(group["image"].astype(str)))
        pairs += [(members[0], other) for other in members[1:]]
    xyxy, labels = table[BOX].to_numpy(float), table["label"].to_numpy(str)
    told = table.get("framing", "labelled")
    whole = (np.asarray(told) if not isinstance(told, str) else np.full(len(table), told)) != "labelled"

    def one(pair: tuple[str, str]) -> list[dict[str, Any]]:
        a, b = (rows_of[name] for name in pair)
        if whole[a].any() or whole[b].any():  # crops of class folders: one face each
            return [] if labels[a[0]] == labels[b[0]] else _two(a[0], b[0], pair=pair, labels=labels)
        over = laid_over(images.read(pair[1]), images.read(pair[0]))
        return [] if over is None else _compared(pair, (a, b), xyxy=xyxy, labels=labels, over=over)

    found, _ = batch.run(one, pairs, progress=progress)
    return [row for rows in found for row in rows]


def _compared(
    pair: tuple[str, str],
    rows: tuple[np.ndarray, np.ndarray],
    *,
    xyxy: np.ndarray,
    labels: np.ndarray,
    over: np.ndarray,
) -> list[dict[str, Any]]:
    """What the boxes (n, 4) of two copies say of one another; over lays the second on the first."""
    a, b = rows
    here, there = xyxy[a], _moved(xyxy[b], over)
    owner = boxes.match(there, here, np.ones(len(there)), min_iou=SAME)
    result = []
    for k, i in enumerate(owner):
        if i >= 0 and labels[a[i]] != labels[b[k]]:
            result += _two(a[i], b[k], pair=pair, labels=labels)
    back = cv2.invertAffineTransform(over)
    alone_here = a[~np.isin(np.arange(len(a)), owner)]
    for other, alone, moved in ((pair[1], alone_here, back), (pair[0], b[owner < 0], over)):
        size = images.size(other)
        for row in alone:
            box = _moved(xyxy[row][None], moved)
            seen = boxes.area(boxes.clip(box, size))[0] / max(boxes.area(box)[0], 1e-9)
            if seen >= INSIDE and min(xyxy[row][2:] - xyxy[row][:2]) >= LARGE:
                reason = f"its copy {_name(other)} has no box there"
                result.append({"row": int(row), "kind": "boxed in one copy", "reason": reason, "other": other})
    return result


def _two(a: int, b: int, *, pair: tuple[str, str], labels: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"row": int(row), "kind": "copies disagree", "other": copy, "reason": f"{said} in its copy {_name(copy)}"}
        for row, said, copy in ((a, labels[b], pair[1]), (b, labels[a], pair[0]))
    ]


def _name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _moved(xyxy: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) by an affine map (2, 3) without turning; a mirroring one swaps left and right."""
    corners = np.stack([xyxy[:, :2], xyxy[:, 2:]], axis=1) @ by[:, :2].T + by[:, 2]
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)


def laid_over(rgb: np.ndarray, onto: np.ndarray) -> np.ndarray | None:
    """The map (2, 3) from pixels of one photo to those of a copy of it: scaled, shifted, perhaps mirrored; or None.

    ORB corners (Rublee 2011) that agree on one similarity; a photo that must be turned by more than 3° is no copy.
    """
    best, most = None, AGREEING
    for mirrored in (False, True):
        there, count = _fitted(rgb[:, ::-1] if mirrored else rgb, onto)
        if there is not None and count > most:
            flip = np.array([[-1.0, 0, rgb.shape[1]], [0, 1, 0], [0, 0, 1]]) if mirrored else np.eye(3)
            best, most = there @ flip, count
    return best


def _fitted(rgb: np.ndarray, onto: np.ndarray) -> tuple[np.ndarray | None, int]:
    (points, words), (targets, others) = _corners(rgb), _corners(onto)
    if words is None or others is None:
        return None, 0
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words, others)
    if len(pairs) < AGREEING:
        return None, 0
    a, b = points[[m.queryIdx for m in pairs]], targets[[m.trainIdx for m in pairs]]
    cv2.setRNGSeed(0)
    by, agree = cv2.estimateAffinePartial2D(a, b, ransacReprojThreshold=3.0)
    if by is None or abs(np.degrees(np.arctan2(by[1, 0], by[0, 0]))) > 3:
        return None, 0
    return by, int(agree.sum())


def _corners(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Corners (n, 2) in pixels of the photo, and the words that describe them."""
    small = images.resize(rgb, SIDE) if max(rgb.shape[:2]) > SIDE else rgb
    keys, words = cv2.ORB.create(POINTS).detectAndCompute(
        cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY), None
    )
    scale = rgb.shape[1] / small.shape[1]
    return np.array([k.pt for k in keys], float).reshape(-1, 2) * scale, words
