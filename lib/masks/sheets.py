"""Contact sheets: styles and ways of wearing on one face, many faces before and after, what `generate` made."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import boxes, images, plots
from .draw import put_on
from .lookalikes import LOOKALIKES, cover_with
from .scene import Outside
from .styles import STYLES, Style

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["catalogue", "dressed", "made_sheet", "wall"]

Face = tuple[np.ndarray, np.ndarray]  # a photo, rgb, and the 68 points (68, 2) of one face in it


def wall(
    face: Face,
    styles: Sequence[str | Style],
    *,
    wears: Sequence[str] = ("with_mask",),
    names: Sequence[str] | None = None,
    seed: int = 0,
    side: int = 150,
) -> np.ndarray:
    """One face: a row for each way of wearing, a column for each style; the first column is the photo as it was."""
    rgb, points = face
    rows = [[rgb, *(put_on(rgb, points, style=s, wear=wear, rng=seed).rgb for s in styles)] for wear in wears]
    words = list(names or (style if isinstance(style, str) else style.name for style in styles))
    captions = [text for wear in wears for text in (wear, *words)]
    return plots.sheet(sum(rows, []), captions, columns=1 + len(styles), side=side)


def catalogue(
    faces: Sequence[Face], names: Sequence[str] | None = None, *, seed: int = 0, columns: int = 8, side: int = 112
) -> np.ndarray:
    """Every style, or these names of styles and look-alikes, each on the next face; its name stands under it."""
    names = list(names or STYLES)
    return plots.sheet([_on(faces, i, names, seed) for i in range(len(names))], names, columns=columns, side=side)


def _on(faces: Sequence[Face], number: int, names: Sequence[str], seed: int) -> np.ndarray:
    """One entry of the catalogue: on a face that has room for it."""
    name = names[number]
    for k in range(len(faces)):
        rgb, points = faces[(number + k) % len(faces)]
        rng = np.random.default_rng([seed, number])
        try:
            if name in LOOKALIKES:
                return cover_with(rgb, points, kind=name, rng=rng).rgb
            return put_on(rgb, points, style=name, rng=rng).rgb
        except Outside:
            continue
    return np.full((8, 8, 3), 255, np.uint8)


def dressed(faces: Sequence[Face], *, seed: int = 0, columns: int = 6, side: int = 170) -> np.ndarray:
    """Each face as it was, and with a mask of another style beside it."""
    names = list(STYLES)
    pairs = [
        (rgb, put_on(rgb, points, style=names[(5 * i) % len(names)], rng=np.random.default_rng([seed, i])).rgb)
        for i, (rgb, points) in enumerate(faces)
    ]
    return plots.sheet([picture for pair in pairs for picture in pair], columns=columns, side=side)


def made_sheet(table: "pd.DataFrame", *, most: int = 24, columns: int = 8, side: int = 124) -> np.ndarray:
    """The faces of a table from `generate` that something was drawn on, each with its style and how it is worn."""
    drawn = table[table["origin"] == "artificial"].iloc[:most]
    crops = [
        boxes.crop(images.read(row.image), np.array([row.x1, row.y1, row.x2, row.y2]), margin=0.35, size=side)
        for row in drawn.itertuples()
    ]
    words = [f"{row.style} {'' if row.wear == 'with_mask' else row.wear}".strip() for row in drawn.itertuples()]
    return plots.sheet(crops, words, columns=columns, side=side)
