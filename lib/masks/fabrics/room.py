"""The grid that a fabric is drawn on, and what comes out."""

from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["COLOURS", "TALL", "WIDE", "Fabric", "Room"]

WIDE, TALL = 2.4, 1.75  # a sheet's usual size in units of the head

COLOURS = {  # sRGB, 0–255
    "blue": (150, 190, 222),
    "light-blue": (186, 214, 232),
    "white": (236, 238, 240),
    "green": (150, 205, 180),
    "black": (36, 37, 40),
    "pink": (238, 178, 196),
    "grey": (138, 142, 148),
    "navy": (34, 48, 88),
    "red": (176, 38, 44),
    "beige": (214, 190, 160),
    "yellow": (232, 198, 92),
    "purple": (116, 84, 150),
    "olive": (96, 102, 66),
    "teal": (52, 128, 132),
    "denim": (74, 98, 138),
    "orange": (222, 118, 52),
    "brown": (104, 74, 56),
    "lilac": (198, 178, 220),
}


@dataclass(frozen=True)
class Fabric:
    """rgb (h, w, 3) float32 0–1 as under white light, relief (h, w) in units of the head, gloss 0–1, strap colour.

    cover (h, w) 0–1 is where there is fabric at all (an outline or holes within the sheet), alpha (h, w) 0–1 how much
    of what lies behind it hides (a clear window); None: everywhere, all of it.
    """

    rgb: np.ndarray
    relief: np.ndarray
    strap: tuple[int, int, int]
    gloss: float = 0.0
    cover: np.ndarray | None = None
    alpha: np.ndarray | None = None

    def turned(self) -> "Fabric":
        """The same fabric upside down."""

        def half(layer: np.ndarray | None) -> np.ndarray | None:
            return None if layer is None else np.ascontiguousarray(layer[::-1, ::-1])

        rgb, relief = self.rgb[::-1, ::-1], self.relief[::-1, ::-1]
        layers = np.ascontiguousarray(rgb), np.ascontiguousarray(relief)
        return Fabric(*layers, self.strap, self.gloss, half(self.cover), half(self.alpha))


class Room:
    """The grid that a fabric is drawn on: u, x (1, w) and v, y (h, 1), x and y in units of the head; and chance.

    bunched: how much the sheet is pushed together, 1 where it is spread.
    """

    def __init__(self, size: tuple[int, int], rng: np.random.Generator, *, bunched: float = 1.0) -> None:
        self.w, self.h = size
        self.rng = rng
        self.bunched = bunched
        self.u = ((np.arange(self.w, dtype=np.float32) + 0.5) / self.w * 2 - 1)[None]
        self.v = ((np.arange(self.h, dtype=np.float32) + 0.5) / self.h)[:, None]
        self.x, self.y = self.u * (WIDE / 2), self.v * TALL
        self.pixel = WIDE / self.w  # units a texel

    def dye(self, name: str, *, vary: float = 0.03) -> np.ndarray:
        """A colour of `COLOURS` (3,) 0–1, a little different each time."""
        return np.clip(np.array(COLOURS[name]) / 255 * (1 + self.rng.normal(0, vary, 3)), 0.02, 0.97).astype(np.float32)

    def any_dye(self, *, vary: float = 0.05) -> np.ndarray:
        """A colour (3,) 0–1 by chance."""
        return self.dye(str(self.rng.choice(list(COLOURS))), vary=vary)

    def coloured(self, colour: np.ndarray, dark: np.ndarray | float = 0.0) -> np.ndarray:
        """Colour, (3,) or (h, w, 3) 0–1, with faint cloudiness and darker by a share: (h, w, 3)."""
        shade = (1 + 0.025 * self.noise(0.35)) * (1 - dark)
        if colour.ndim == 1:
            return cv2.merge([shade * float(c) for c in colour])
        return cv2.multiply(colour, cv2.merge([shade] * 3), dtype=cv2.CV_32F)

    def mixed(self, rgb: np.ndarray, colour: np.ndarray, share: np.ndarray) -> np.ndarray:
        """rgb (h, w, 3) with a share (h, w) of a colour (3,) in it."""
        keep = 1 - share
        return cv2.merge([one * keep + share * float(c) for one, c in zip(cv2.split(rgb), colour, strict=True)])

    def disc(self, at: tuple[float, float], size: float) -> tuple[tuple[slice, slice], np.ndarray]:
        """The part of the grid within `size` of a place (x, y), and the distances from it there."""
        columns = np.searchsorted(self.x[0], (at[0] - size, at[0] + size))
        rows = np.searchsorted(self.y[:, 0], (at[1] - size, at[1] + size))
        here = slice(*rows.tolist()), slice(*columns.tolist())
        return here, np.sqrt(np.square(self.x[:, here[1]] - at[0]) + np.square(self.y[here[0]] - at[1]))

    def noise(self, grain: float | tuple[float, float]) -> np.ndarray:
        """Smooth noise (h, w), about −2…2, with features of `grain` units, or so wide and so tall."""
        coarse = self._coarse(grain, (-(-self.w // 3), -(-self.h // 3)))
        return cv2.resize(coarse, (self.w, self.h), interpolation=cv2.INTER_LINEAR)

    def _coarse(self, grain: float | tuple[float, float], wh: tuple[int, int]) -> np.ndarray:
        wide, tall = grain if isinstance(grain, tuple) else (grain, grain)
        small = max(2, round(WIDE / wide)) + 2, max(2, round(TALL / tall)) + 2
        field = self.rng.standard_normal((small[1], small[0]), dtype=np.float32)
        big = cv2.resize(field, (wh[0] + 4, wh[1] + 4), interpolation=cv2.INTER_CUBIC)
        return big[2:-2, 2:-2]

    def line(self, distance: np.ndarray, width: float) -> np.ndarray:
        """1 on a line where a signed distance is 0, falling smoothly to 0; never thinner than a texel."""
        return np.exp(-np.square(distance * np.float32(1 / max(width, 0.7 * self.pixel))))

    def step(self, distance: np.ndarray, width: float) -> np.ndarray:
        """0 before a line, 1 behind it, smooth over `width` units and never sharper than a texel."""
        return 0.5 + 0.5 * np.tanh(distance * np.float32(1 / max(width, self.pixel)))

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """1 where a signed distance is above 0, 0 elsewhere, its edge a texel wide."""
        return np.clip(distance * np.float32(1 / max(self.pixel, 0.01)) + 0.5, 0, 1)

    def hem(self, width: float) -> np.ndarray:
        """How far inside all four edges a place is: 0 at the rim, 1 from `width` units on."""
        rows, columns = np.minimum(self.v, 1 - self.v) * TALL, (1 - np.abs(self.u)) * (WIDE / 2)
        return np.minimum(np.minimum(rows, columns) * np.float32(1 / width), 1)

    def wrinkles(self, strength: float) -> np.ndarray:
        """Relief of tension folds from the four corners and of creases anywhere; lengthwise creases where bunched."""
        wh = 96, 72
        strength *= 0.5 + 0.5 * self.bunched
        relief = strength * (0.012 * self._coarse(0.28, wh) + 0.006 * self._coarse(0.13, wh))
        if self.bunched > 1:
            relief += 0.03 * (self.bunched - 1) * self._coarse((0.8, 0.16), wh)
        u, v = np.linspace(-1, 1, wh[0], dtype=np.float32)[None], np.linspace(0, 1, wh[1], dtype=np.float32)[:, None]
        for corner in (0.0, 1.0):  # both sides at once: |u| is the distance from the middle
            near, turn = (
                np.square(1 - np.abs(u)) + 1.2 * np.square(v - corner),
                np.arctan2(v - corner, 1.001 - np.abs(u)),
            )
            pace, start = self.rng.uniform(9, 15), self.rng.uniform(0, 6.3, 2)
            wave = np.sin(turn * np.float32(pace) + np.where(u < 0, *start.astype(np.float32)))
            relief += np.float32(strength * 0.012) * wave * np.exp(-4 * near)
        return cv2.resize(relief, (self.w, self.h), interpolation=cv2.INTER_LINEAR)

    def weave(self, depth: float, pace: float) -> np.ndarray | float:
        """Relief of a fine grid of threads; 0 where it could not be seen."""
        return depth * np.sin(self.x * pace) * np.cos(self.y * pace) if self.pixel < 2 / pace else 0.0

    def stitches(self, distance: np.ndarray, along: np.ndarray, *, step: float = 0.045) -> np.ndarray:
        """A seam of short stitches where distance is 0; 1 on thread."""
        if self.pixel >= step / 3:
            return 0.5 * self.line(distance, 0.008)
        return self.line(distance, 0.008) * np.clip(1.6 * np.sin(along * (2 * np.pi / step)) + 0.6, 0, 1)
