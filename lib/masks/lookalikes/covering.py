"""Lay a look-alike over one face: as lit, as soft and as grainy as the photo, with its shadow."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ...classes import NAMES
from .. import draw, head, light
from . import beards, garments, hands, things, worn
from .relief import Place, Relief, floats

__all__ = ["LOOKALIKES", "cover_with"]

_Drawn = tuple[list[Relief], dict[str, Any]]
_DRAW: dict[str, tuple[Callable[[Place, np.random.Generator], _Drawn], float]] = {
    "hand": (hands.hand, 3),
    "hands": (hands.joined, 1),
    "fist": (hands.fist, 1.5),
    "phone": (things.phone, 1.5),
    "cup": (things.cup, 1.5),
    "microphone": (things.microphone, 1),
    "beard": (beards.beard, 4),
    "scarf": (garments.scarf, 2),
    "collar": (garments.collar, 1.5),
    "glasses": (worn.glasses, 1.5),
    "strap": (worn.strap, 1),
}
LOOKALIKES = {name: share for name, (_, share) in _DRAW.items()}
_LEAST = 0.008


def cover_with(
    rgb: np.ndarray, points: np.ndarray, *, kind: str = "hand", rng: np.random.Generator | int = 0
) -> draw.Masked:
    """Draw something that is no mask on or before the face with these 68 points (68, 2); the photo stays as it is.

    kind: a name of `LOOKALIKES`; rng: a generator or a seed, same seed, same bytes. The result's label is without_mask,
    its style the kind, its wear empty; its mask knows `FABRIC` (the thing), `SHADOW` and 0. Raises ValueError for an
    unknown kind, for points that are not finite, and where the thing would lie outside the photo.
    """
    if kind not in LOOKALIKES:
        raise ValueError(f"kind: unknown {kind!r}; known are {', '.join(LOOKALIKES)}")
    points = np.asarray(points, float)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"points: must be 68 finite points, got shape {points.shape}")
    rng = np.random.default_rng(rng)
    fit = head.fit(points)
    h, w = rgb.shape[:2]
    place = Place(fit, light.estimate(rgb, fit), np.array([0, 0, w, h]) / fit.scale, points, rgb)
    layers, told = _DRAW[kind][0](place, rng)
    soft, grain = light.blur(rgb, points), light.grain(rgb, fit)
    out, mask, cover = rgb.copy(), np.zeros((h, w), np.uint8), np.zeros((h, w), np.float32)
    for relief in layers:
        _lay(out, mask, cover, relief, soft=soft, grain=grain, rng=rng)
    if not (mask == draw.FABRIC).any():
        raise ValueError("points: the look-alike would lie outside the photo")
    parameters = {k: v if isinstance(v, str) else round(float(v), 4) for k, v in told.items()} | {"blur": round(soft, 3), "grain": round(grain, 3)}
    return draw.Masked(out, mask, _outline(cover), NAMES[1], kind, "", parameters)


def _lay(
    out: np.ndarray,
    mask: np.ndarray,
    cover: np.ndarray,
    relief: Relief,
    *,
    soft: float,
    grain: float,
    rng: np.random.Generator,
) -> None:
    """Put one layer into the photo, its pixel mask and its coverage."""
    x, y, x2, y2, rgba = _placed(relief, out.shape[1], out.shape[0])
    if soft > 0.45:
        size = 2 * round(2.5 * soft) + 1
        rgba = cv2.GaussianBlur(rgba, (size, size), soft)
    part = slice(y, y2), slice(x, x2)
    there = np.clip(rgba[..., 3], 0, 1)
    there[there < _LEAST] = 0
    shadow = _shadow(relief, there, (x, y))
    shadow[shadow < _LEAST / 2] = 0
    keep = (1 - there) * (1 - shadow)
    noise = draw._grain(there.shape, grain, rng) * there
    laid = out[part] * keep[..., None] + rgba[..., :3] * (there > 0)[..., None] + noise[..., None]
    touched = keep < 1
    cv2.copyTo(np.clip(laid, 0, 255).astype(np.uint8), touched.astype(np.uint8), out[part])
    mask[part][touched & (mask[part] == 0)] = draw.SHADOW
    mask[part][there > 0.5] = draw.FABRIC
    cover[part] = np.maximum(cover[part], there)


def _placed(relief: Relief, w: int, h: int) -> tuple[int, int, int, int, np.ndarray]:
    """Where the layer lies in the photo (x1, y1, x2, y2), with room for its shadow, and the layer at that size."""
    scale, room = relief.place.fit.scale, 0.25
    low = np.floor(np.clip((relief.low - room) * scale, 0, (w, h))).astype(int)
    high = np.ceil(np.clip((relief.high + room) * scale, 0, (w, h))).astype(int)
    rgba = relief.rgba()
    step = relief.res / scale  # the layer's pixels a pixel of the photo
    if step > 1.3:  # shrink it first, or single pixels would be picked out
        rgba = cv2.GaussianBlur(rgba, (0, 0), 0.45 * step)
    shift = (low + 0.5 - relief.low * scale) * step - 0.5
    size = int(high[0] - low[0]), int(high[1] - low[1])
    way = floats([[step, 0, shift[0]], [0, step, shift[1]]])
    edge = cv2.BORDER_CONSTANT
    rgba = cv2.warpAffine(rgba, way, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=edge)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1]), rgba


def _shadow(relief: Relief, there: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """How much light the thing takes from face and neck, 0–1: close by, and away from the light."""
    place = relief.place
    unit = place.fit.scale
    small = max(1.0, unit / 28)
    h, w = there.shape
    wh = max(2, round(w / small)), max(2, round(h / small))
    low, unit = cv2.resize(there, wh, interpolation=cv2.INTER_AREA), unit / small
    side = place.seen.toward[:2] / max(float(np.linalg.norm(place.seen.toward)), 1e-6)
    away = -side * 0.10 * unit + (0, 0.06 * unit)
    moved = cv2.warpAffine(low, floats([[1, 0, away[0]], [0, 1, away[1]]]), wh)
    dark = 0.30 * cv2.GaussianBlur(low, (0, 0), 0.05 * unit) + 0.28 * cv2.GaussianBlur(moved, (0, 0), 0.11 * unit)
    allowed = np.zeros((wh[1], wh[0]), np.float32)
    down = place.fit.rotation[:2, 1] * place.fit.scale
    face = np.concatenate([place.points[:27], place.points[17:27] - 0.7 * down, place.points[4:13] + 0.8 * down])
    hull = cv2.convexHull(np.round((face - corner) / small).astype(np.int32))
    cv2.fillConvexPoly(allowed, hull, 1.0)
    dark = np.clip(dark * cv2.GaussianBlur(allowed, (0, 0), 0.06 * unit) - 0.02, 0, 0.6)
    return cv2.resize(dark, (w, h), interpolation=cv2.INTER_LINEAR)


def _outline(cover: np.ndarray) -> np.ndarray:
    h, w = cover.shape
    return draw._outline(cover, draw._Window(0, 0, w, h, 1))
