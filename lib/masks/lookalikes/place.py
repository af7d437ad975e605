"""The face that something is held before, its light and its skin; and what all that is drawn there shares.

Units are the head's (see `head`): a place in the photo divided by the face's scale, z towards the camera.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from .. import head, light

__all__ = ["Place", "amount_on", "cloth", "floats", "lit", "noise", "over", "srgb"]

_CLOTHES = [(38, 38, 42), (70, 80, 110), (150, 150, 152), (225, 225, 222), (120, 40, 44), (64, 78, 60), (190, 175, 150)]
_CLOTHES += [(40, 55, 95), (90, 70, 60), (175, 95, 105), (60, 110, 140), (25, 25, 28)]
_SKIN = [
    (0.5, 0.35, 1.15),
    (0.6, 0.5, 1.05),
    (0.72, 0.4, 0.95),
    (0.45, 0.65, 1.15),
    (0.3, -0.6, 1.25),
    (0.1, 0.4, 1.42),
]
_CHEEKS = np.array([(x * side, y, z) for side in (-1, 1) for x, y, z in _SKIN])


def floats(values: object) -> np.ndarray:
    return np.asarray(values, np.float32)


def srgb(*colour: float) -> np.ndarray:
    """A colour 0–255 as people name it → linear reflectance 0–1."""
    return np.square(floats(colour) / 255)


def cloth(rng: np.random.Generator) -> np.ndarray:
    """The linear colour of a piece of clothing."""
    colour = np.array(_CLOTHES[rng.integers(len(_CLOTHES))], float) + rng.normal(0, 10, 3)
    return srgb(*np.clip(colour, 12, 240))


def noise(shape: tuple[int, ...], cells: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (h, w), about −1…1, with this many waves down and across."""
    small = rng.standard_normal((max(2, round(cells[0]) + 2), max(2, round(cells[1]) + 2))).astype(np.float32)
    return cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True)
class Place:
    """The face that something is held before, with its light; box is the photo's edges (x1, y1, x2, y2) in units."""

    fit: head.Fit
    seen: light.Light
    box: np.ndarray
    points: np.ndarray
    rgb: np.ndarray

    def at(self, points: object) -> np.ndarray:
        """Points of the head (n, 3) as they lie before the camera (n, 3), in units."""
        points = np.asarray(points, float).reshape(-1, 3)
        return np.column_stack([self.fit.project(points) / self.fit.scale, points @ self.fit.rotation[2]])

    @cached_property
    def skin(self) -> np.ndarray:
        """Reflectance (3,) of the face's own skin under its own light: the better lit half of what is seen of it."""
        where = self.fit.project(_CHEEKS)
        h, w = self.rgb.shape[:2]
        r = max(1, round(0.05 * self.fit.scale))
        at = [(x, y) for x, y in where.astype(int).tolist() if 0 <= x < w and 0 <= y < h]
        seen = [self.rgb[max(0, y - r) : y + r, max(0, x - r) : x + r].reshape(-1, 3).mean(0) for x, y in at]
        usual = float(amount_on(self.fit.facing(np.array([[0.0, 0.0, 0.95]])), self.seen)[0])
        lab = np.clip(self.seen.skin, 0, 255).astype(np.uint8)[None, None]
        mean = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0].astype(np.float32)
        if len(seen) >= 4:
            tones = floats(sorted(seen, key=sum))
            better = np.median(tones[len(tones) // 4 :], axis=0)
            mean = np.clip(better, 0.85 * mean, 1.15 * mean)
        return np.square(np.minimum(mean, 245) / 255) / self.seen.tint.astype(np.float32) / max(usual, 1e-3)

    def dyed(self, colour: np.ndarray) -> np.ndarray:
        """A linear colour (…, 3) as this photo would show it: grey where the photo is grey."""
        grey = colour @ floats([0.2126, 0.7152, 0.0722])
        return grey[..., None] + (colour - grey[..., None]) * np.float32(self.seen.colourful)


def amount_on(normals: np.ndarray, seen: light.Light) -> np.ndarray:
    toward = 1.15 * seen.toward + np.array([0, -0.25, 0.15]) * seen.ambient  # light mostly comes a little from above
    return np.maximum(seen.ambient + normals @ toward.astype(np.float32), 0.3 * seen.ambient)


def lit(albedo: np.ndarray, amount: np.ndarray, seen: light.Light) -> np.ndarray:
    """Colours 0–255 of linear reflectance (…, 3) under an amount (…) of this face's light; highlights roll off."""
    return light.shown(floats(albedo * seen.tint.astype(np.float32)) * floats(amount)[..., None])


def over(colour: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Colours 0–255 (h, w, 3) and coverage 0–1 → (h, w, 4) uint8: colours times coverage, and coverage."""
    planes = [np.clip(plane, 0, 255) * cover for plane in cv2.split(floats(colour))]
    return cv2.merge([plane.astype(np.uint8) for plane in (*planes, np.clip(cover, 0, 1) * 255)])
