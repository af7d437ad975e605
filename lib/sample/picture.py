"""A mask as a transparent picture, such as a person may paint or cut out: for `masks.template`."""

import cv2
import numpy as np

__all__ = ["mask_picture"]


def mask_picture() -> np.ndarray:
    """A cloth mask with a painted smile, spread out and seen from the front: rgba (180, 240, 4), uint8."""
    half = np.array([(0, 8), (40, 12), (84, 30), (112, 34), (104, 78), (96, 118), (60, 156), (0, 172)])
    outline = np.concatenate([(120, 0) + half, (120, 0) + half[::-1] * (-1, 1)]).astype(np.int32)
    picture = np.zeros((180, 240, 4), np.uint8)
    cv2.fillPoly(picture, [outline], (236, 226, 204, 255), cv2.LINE_AA)
    cv2.polylines(picture, [outline], True, (176, 150, 116, 255), 3, cv2.LINE_AA)
    cv2.ellipse(picture, (120, 84), (46, 42), 0, 20, 160, (178, 44, 60, 255), 9, cv2.LINE_AA)
    for x in (52, 188):
        cv2.circle(picture, (x, 92), 13, (240, 166, 150, 255), -1, cv2.LINE_AA)
    return picture
