"""The app's icons, drawn: a face with a mask, with room around it where a phone cuts its own shape."""

import cv2
import numpy as np

from .. import classes, images

__all__ = ["icon"]

GROUND, SKIN, EYE = (238, 243, 248), (232, 185, 140), (28, 28, 30)  # RGB
FINE = 4  # drawn so many times larger, then shrunk


def icon(side: int, *, room: float = 0.1) -> bytes:
    """A square PNG of so many pixels a side; room: what stays free on each side, as a share (maskable: 0.2)."""
    big = side * FINE
    rgb = np.full((big, big, 3), GROUND, np.uint8)
    size = big * (1 - 2 * room)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(big * room + size * x), round(big * room + size * y)

    cv2.ellipse(rgb, at(0.5, 0.5), (round(0.4 * size), round(0.48 * size)), 0, 0, 360, SKIN, -1, cv2.LINE_AA)
    for x in (0.34, 0.66):
        cv2.circle(rgb, at(x, 0.38), round(0.05 * size), EYE, -1, cv2.LINE_AA)
    top = [at(x, 0.57 - 0.09 * np.sin(np.pi * (x - 0.1) / 0.8)) for x in np.linspace(0.1, 0.9, 40)]
    turns = np.linspace(0.15, np.pi - 0.15, 40)
    below = [at(0.5 + 0.4 * np.cos(t), 0.5 + 0.48 * np.sin(t)) for t in turns]
    mask = np.array([*top, *below], np.int32)
    cv2.fillPoly(rgb, [mask], classes.COLOURS["with_mask"], cv2.LINE_AA)
    for y in (0.66, 0.76):
        line = [at(x, y + 0.05 * np.sin(np.pi * (x - 0.25) / 0.5)) for x in np.linspace(0.25, 0.75, 30)]
        cv2.polylines(rgb, [np.array(line, np.int32)], False, (225, 245, 238), round(0.018 * size), cv2.LINE_AA)
    return images.encode(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), ".png")
