"""Lay a look-alike over one face: as lit, as soft and as grainy as the photo, with its shadow."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ...classes import NAMES
from .. import head, jpeg, light, paint
from ..draw import FABRIC, SHADOW, Masked
from ..scene import Outside, Window, outline
from . import beards, garments, hands, things, worn
from .place import Place, floats
from .relief import Relief

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


def cover_with(
    rgb: np.ndarray, points: np.ndarray, *, kind: str = "hand", rng: np.random.Generator | int = 0
) -> Masked:
    """Draw something that is no mask on or before the face with these 68 points (68, 2); the photo stays as it is.

    kind: a name of `LOOKALIKES`; rng: a generator or a seed, same seed, same bytes. The result's label is without_mask,
    its style the kind, its wear empty; its mask knows `FABRIC` (the thing), `SHADOW` and 0. Raises ValueError for an
    unknown kind and for points that are not finite; Outside, which is one too, where it would lie outside the photo.
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
    out, mask = rgb.copy(), np.zeros((h, w), np.uint8)
    for relief in layers:
        _lay(out, mask, relief, soft=soft, grain=grain, rng=rng)
    if not (mask == FABRIC).any():
        raise Outside(f"the {kind}")
    quality = _pressed(rgb, out, mask)
    parameters: dict[str, Any] = {k: v if isinstance(v, str) else round(float(v), 4) for k, v in told.items()}
    parameters |= {"blur": round(soft, 3), "grain": round(grain, 3), "jpeg": quality}
    return Masked(out, mask, _outline(mask == FABRIC), NAMES[1], kind, "", parameters)


def _lay(
    out: np.ndarray,
    mask: np.ndarray,
    relief: Relief,
    *,
    soft: float,
    grain: float,
    rng: np.random.Generator,
) -> None:
    """Put one layer into the photo, and its pixel mask."""
    x, y, rgba = _placed(relief, w=out.shape[1], h=out.shape[0], soft=soft)
    h, w = rgba.shape[:2]
    part = slice(y, y + h), slice(x, x + w)
    there = np.ascontiguousarray(rgba[..., 3])
    keep = cv2.multiply(cv2.bitwise_not(there), _light(relief, there, (x, y)), scale=1 / 255)
    touched = cv2.bitwise_not(keep)
    laid = cv2.add(cv2.multiply(out[part], cv2.merge([keep] * 3), scale=1 / 255), rgba[..., :3])
    if grain > 0.3:
        strength = cv2.merge([there] * 3)
        noise = cv2.multiply(paint.grain(there.shape, grain, rng), strength, scale=1 / 255, dtype=cv2.CV_32F)
        laid = cv2.add(laid, noise, dtype=cv2.CV_8U)
    cv2.copyTo(laid, touched, out[part])
    seen = mask[part]
    seen[(touched > 0) & (seen == 0)] = SHADOW
    seen[there > 255 * relief.least] = FABRIC


def _placed(relief: Relief, *, w: int, h: int, soft: float) -> tuple[int, int, np.ndarray]:
    """The layer at the photo's size and softness, cut to what it shows and room for its shadow: (x, y, rgba)."""
    scale, rgba = relief.place.fit.scale, relief.rgba()
    step = relief.res / scale  # the layer's pixels a pixel of the photo
    used = cv2.boundingRect(rgba[..., 3])
    room = 0.3 * scale + 3 * soft
    first = relief.low * scale + np.array(used[:2]) / step
    low = np.floor(np.clip(first - room, 0, (w - 1, h - 1))).astype(int)
    high = np.ceil(np.clip(first + np.array(used[2:]) / step + room, low + 1, (w, h))).astype(int)
    if step > 1.3:  # shrink it first, or single pixels would be picked out
        rgba = cv2.GaussianBlur(rgba, (0, 0), 0.45 * step)
    if soft > 0.45 and step < 1:  # cheaper before it grows
        rgba, soft = cv2.GaussianBlur(rgba, (0, 0), max(soft * step, 0.2)), 0
    shift = (low + 0.5 - relief.low * scale) * step - 0.5
    way = floats([[step, 0, shift[0]], [0, step, shift[1]]])
    size = int(high[0] - low[0]), int(high[1] - low[1])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    rgba = cv2.warpAffine(rgba, way, size, flags=how, borderMode=cv2.BORDER_CONSTANT)
    return int(low[0]), int(low[1]), cv2.GaussianBlur(rgba, (0, 0), soft) if soft > 0.45 else rgba


def _light(relief: Relief, there: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """How much light the thing leaves to face and neck, 0–255: less close by, and away from the light."""
    place, unit = relief.place, relief.place.fit.scale
    small = max(1.0, unit / 22)
    h, w = there.shape
    wh = max(2, round(w / small)), max(2, round(h / small))
    low, unit = cv2.resize(there, wh, interpolation=cv2.INTER_AREA).astype(np.float32) / 255, unit / small
    side = place.seen.toward[:2] / max(float(np.linalg.norm(place.seen.toward)), 1e-6)
    away = -side * 0.10 * unit + (0, 0.06 * unit)
    moved = cv2.warpAffine(low, floats([[1, 0, away[0]], [0, 1, away[1]]]), wh)
    dark = 0.30 * cv2.GaussianBlur(low, (0, 0), 0.05 * unit) + 0.28 * cv2.GaussianBlur(moved, (0, 0), 0.11 * unit)
    allowed = np.zeros((wh[1], wh[0]), np.float32)
    down = place.fit.rotation[:2, 1] * place.fit.scale
    face = np.concatenate([place.points[:27], place.points[17:27] - 0.7 * down, place.points[4:13] + 0.8 * down])
    cv2.fillConvexPoly(allowed, cv2.convexHull(np.round((face - corner) / small).astype(np.int32)), 1.0)
    dark = np.clip(dark * cv2.GaussianBlur(allowed, (0, 0), 0.06 * unit) - 0.02, 0, 0.6)
    return cv2.resize((255 - 255 * dark).astype(np.uint8), (w, h), interpolation=cv2.INTER_LINEAR)


def _pressed(rgb: np.ndarray, out: np.ndarray, mask: np.ndarray) -> int | None:
    """Compress what was drawn as strongly as the photo was, which is returned; None: it shows no sign of it."""
    photo = Window(0, 0, mask.shape[1], mask.shape[0])
    part = Window(*cv2.boundingRect(mask)).widened(jpeg.GRID, within=photo).slices
    quality = jpeg.quality(rgb[part])
    if quality is not None:
        cv2.copyTo(jpeg.pressed(out[part], quality), mask[part], out[part])
    return quality


def _outline(thing: np.ndarray) -> np.ndarray:
    """The outline (k, 2) of the largest piece in pixels of the photo."""
    x, y, w, h = cv2.boundingRect(thing.astype(np.uint8))
    return outline(thing[y : y + h, x : x + w], Window(x, y, w, h))
