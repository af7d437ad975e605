"""Pictures of an arm: masks drawn on bare faces by `lib.masks`, or pasted flat and blue as the tutorials do it."""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from lib.classes import NAMES
from lib.masks import light
from lib.train import drawing, wide_size
from lib.train.drawing import Wish

from .tables import Arm

__all__ = ["Draw", "flat_blue", "paste_flat", "unlit", "wishes"]

SIDE = wide_size(96)


def wishes(arm: Arm, *, count: int, wrong: float, rng: np.random.Generator) -> list[Wish]:
    """What an arm draws on a face."""
    made = drawing.wishes(
        count,
        wrong=wrong,
        rng=rng,
        styles=arm.styles,
        wears=arm.wears,
        beside=drawing.BESIDE if arm.lookalikes else 0.0,
    )
    flat = arm.masks == "flat"
    return [Wish("flat", "flat-blue", NAMES[0], wish.seed) for wish in made] if flat else made


@dataclass(frozen=True)
class Draw(drawing.Draw):
    """As training draws; also the flat picture. lit=False: `unlit` holds while drawing."""

    side: int = SIDE
    lit: bool = True

    def __call__(self, job: Any) -> Any:
        with contextlib.nullcontext() if self.lit else unlit():
            return super().__call__(job)

    def made(
        self, rgb: np.ndarray, points: np.ndarray, wish: Wish, *, box: np.ndarray
    ) -> tuple[np.ndarray | None, str]:
        if wish.kind == "flat":
            return paste_flat(rgb, points), NAMES[0]
        return super().made(rgb, points, wish, box=box)


@contextlib.contextmanager
def unlit() -> Iterator[None]:
    """Within: every photo is said to have the same light, hardly any blur and no grain; for one ablation alone."""
    kept = light.estimate, light.blur, light.grain

    def estimate(*given: Any, **how: Any) -> light.Light:
        return dataclasses.replace(
            kept[0](*given, **how), ambient=0.8, toward=np.zeros(3), tint=np.ones(3), colourful=1.0
        )

    light.estimate, light.blur, light.grain = estimate, lambda *_, **__: 0.4, lambda *_, **__: 0.0
    try:
        yield
    finally:
        light.estimate, light.blur, light.grain = kept


@cache
def flat_blue() -> np.ndarray:
    """A mask as the tutorials paste it: one flat light-blue picture (180, 240, 4) with three folds and its loops."""
    picture = np.zeros((180, 240, 4), np.uint8)
    outline = np.array([(36, 22), (120, 6), (204, 22), (198, 120), (160, 164), (120, 174), (80, 164), (42, 120)])
    for side in (1, -1):
        ear = np.array([(36, 26), (4, 40), (8, 96), (42, 116)])
        ear = ear if side == 1 else np.array([(239, 0)]) + ear * (-1, 1)
        cv2.polylines(picture, [ear.astype(np.int32)], False, (235, 240, 242, 255), 3, cv2.LINE_AA)
    cv2.fillPoly(picture, [outline.astype(np.int32)], (124, 183, 216, 255), cv2.LINE_AA)
    for y in (62, 92, 122):
        cv2.line(picture, (44, y), (196, y), (104, 163, 198, 255), 3, cv2.LINE_AA)
    return picture


def paste_flat(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A copy of the photo with the flat picture scaled and turned between nose bridge, chin and jaw, nothing else.

    As in prajnasb/observations: from point 28 to 8, 1.2 times as wide as the jaw from 2 to 14, never blurred or lit.
    """
    picture = flat_blue()
    top, chin, left, right = points[28], points[8], points[2], points[14]
    down = chin - top
    across = np.array([down[1], -down[0]]) / max(float(np.linalg.norm(down)), 1e-6)
    wide = 1.2 * float(abs((right - left) @ across))
    middle = top + across * float(((left + right) / 2 - top) @ across)
    corners = np.float32([middle - across * wide / 2, middle + across * wide / 2, middle - across * wide / 2 + down])
    h, w = picture.shape[:2]
    matrix = cv2.getAffineTransform(np.float32([(0, 0), (w, 0), (0, h)]), corners)
    size = rgb.shape[1], rgb.shape[0]
    laid = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA)
    cover = laid[..., 3:].astype(np.float32) / 255
    return np.round(rgb * (1 - cover) + laid[..., :3] * cover).clip(0, 255).astype(np.uint8)
