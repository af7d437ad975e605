"""What was found, to look at: a row a group of copies, a row a kind of bad picture; and how it agrees with a truth."""

from typing import TYPE_CHECKING

import numpy as np

from .. import boxes, images, plots
from ..batch import Skip

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["agreement", "bad_sheet", "group_sheet", "twin_sheet"]

GREEN, RED, PALE = (0, 158, 115), (204, 51, 34), (225, 225, 225)


def group_sheet(groups: "pd.DataFrame", *, rows: int = 8, columns: int = 6, side: int = 128) -> np.ndarray:
    """A contact sheet, rgb: a row a group, the largest groups first; the kept one leads with a tick and a green rim.

    Each copy carries how it differs and its distance. A group with more members than columns is cut off.
    """
    order = groups.groupby("group", sort=False).size().sort_values(ascending=False, kind="stable").index[:rows]
    pictures, words, rims = [], [], []
    for number in order:
        members = groups[groups["group"] == number].head(columns)
        for row in members.itertuples():
            pictures.append(_small(row.image, side))
            words.append("" if row.kept else f"{row.distance:.3f} {row.how.removesuffix(' copy')}")
            rims.append(GREEN if row.kept else PALE)
            if row.kept:
                words[-1] = f"kept, of {int((groups['group'] == number).sum())}"
                pictures[-1] = _ticked(pictures[-1])
        _fill(pictures, words, rims, columns)
    return plots.sheet(pictures, words, colours=rims, columns=columns, side=side)


def twin_sheet(twins: "pd.DataFrame", *, rows: int = 8, columns: int = 6, side: int = 128) -> np.ndarray:
    """A contact sheet, rgb, of `masked_twins`: a row a group, the closest first; the bare face leads with a green rim.

    Each twin carries its label and distance. A group with more members than columns is cut off.
    """
    worst = twins[twins["how"] != "head"].groupby("group")["distance"].min().sort_values(kind="stable")
    pictures, words, rims = [], [], []
    for number in worst.index[:rows]:
        for row in twins[twins["group"] == number].head(columns).itertuples():
            pictures.append(_face(row, side))
            words.append(str(row.label) if row.how == "head" else f"{row.distance:.3f} {row.label}")
            rims.append(GREEN if row.how == "head" else PALE)
        _fill(pictures, words, rims, columns)
    return plots.sheet(pictures, words, colours=rims, columns=columns, side=side)


def bad_sheet(screened: "pd.DataFrame", *, columns: int = 7, side: int = 128) -> np.ndarray:
    """A contact sheet, rgb: a row for each kind of bad picture that there is, the worst first, with score and limit."""
    bad, pictures, words, rims = screened[screened["bad"]], [], [], []
    for check, part in bad.groupby("check", sort=False):
        worst = part.assign(far=(part["score"] - part["threshold"]).abs()).sort_values("far", ascending=False)
        for row in worst.head(columns).itertuples():
            pictures.append(_small(row.image, side))
            words.append("no face" if check == "no face" else row.reason)
            rims.append(RED)
        _fill(pictures, words, rims, columns)
    return plots.sheet(pictures, words, colours=rims, columns=columns, side=side)


def agreement(groups: "pd.DataFrame", truth: "pd.DataFrame") -> "pd.DataFrame":
    """Compare groups with a known truth: by kind of copy, how many there are and how many were found; "all" last.

    truth: sha256, original (what an image is a copy of) and how ("original" for the first of its kind), for every image
    that was looked at. An image counts as found when it shares a group with another of its original. precision: of
    all pairs put together, the share that are of one original. Columns: copies, found, recall, precision.
    """
    import pandas as pd

    origin = truth.drop_duplicates("sha256").set_index("sha256")
    seen = groups[groups["sha256"].isin(origin.index)].assign(original=lambda t: t["sha256"].map(origin["original"]))
    seen = seen.drop_duplicates("sha256")
    together = seen.groupby(["group", "original"])["sha256"].transform("size")
    met = set(seen["sha256"][together > 1])
    pairs = (seen.groupby("group").size().pipe(lambda n: n * (n - 1) / 2)).sum()
    right = (seen.groupby(["group", "original"]).size().pipe(lambda n: n * (n - 1) / 2)).sum()
    several = origin.groupby("original")["how"].transform("size") > 1
    copies = origin[several & (origin["how"] != "original")]
    table = pd.DataFrame({"how": copies["how"], "copies": 1, "found": [int(s in met) for s in copies.index]})
    table = table.groupby("how").sum()
    table.loc["all"] = table.sum()
    table["recall"] = table["found"] / table["copies"].clip(lower=1)
    table["precision"] = np.where(table.index == "all", right / pairs if pairs else 1.0, np.nan)
    return table


def _small(file: str, side: int) -> np.ndarray:
    try:
        return images.read(file, max_side=side)
    except (Skip, OSError):
        return np.full((side, side, 3), PALE, np.uint8)


def _face(row, side: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    try:
        return boxes.crop(images.read(row.image), np.array([row.x1, row.y1, row.x2, row.y2]), margin=0.25, size=side)
    except (Skip, OSError):
        return np.full((side, side, 3), PALE, np.uint8)


def _ticked(rgb: np.ndarray) -> np.ndarray:
    """A copy with a green tick in its corner."""
    import cv2

    picture, size = np.ascontiguousarray(rgb).copy(), max(10, max(rgb.shape) // 7)
    cv2.rectangle(picture, (0, 0), (size + 4, size + 4), GREEN, -1)
    line = np.array([(3, size // 2 + 2), (size // 2, size), (size + 1, 4)], np.int32)
    cv2.polylines(picture, [line], False, (255, 255, 255), 2, cv2.LINE_AA)
    return picture


def _fill(pictures: list, words: list, rims: list, columns: int) -> None:
    """Fill a row up with nothing, so that the next one starts at the left."""
    while len(pictures) % columns:
        pictures.append(np.full((8, 8, 3), 255, np.uint8))
        words.append("")
        rims.append((255, 255, 255))
