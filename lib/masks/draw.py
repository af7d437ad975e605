"""Lay one mask on one face: the sheet projected, its fabric lit, its shadow cast, its edges as soft as the photo."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np

from .. import classes
from . import fabrics, head, light, shapes
from .styles import Style, find

__all__ = ["FABRIC", "SHADOW", "STRAP", "Masked", "mesh", "put_on"]

_LEAST = 0.008  # less coverage than this is none
FABRIC, STRAP, SHADOW = 255, 160, 80  # values of the pixel mask; 0: the photo's own pixel, unchanged


@dataclass(frozen=True)
class Masked:
    """A photo with a drawn mask: rgb, the pixel mask (h, w) uint8 (`FABRIC`, `STRAP`, `SHADOW`, 0), its outline (k, 2).

    label is the class that the way of wearing means; parameters are what chance decided.
    """

    rgb: np.ndarray
    mask: np.ndarray
    polygon: np.ndarray
    label: str
    style: str
    wear: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Window:
    """The part of the photo that is worked on, and the finer grid on which outlines are filled."""

    x: int
    y: int
    w: int
    h: int
    fine: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y, self.y + self.h), slice(self.x, self.x + self.w)

    def local(self, xy: np.ndarray) -> np.ndarray:
        return xy - (self.x, self.y)

    def shrink(self, fine: np.ndarray) -> np.ndarray:
        return cv2.resize(fine, (self.w, self.h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


@dataclass(frozen=True)
class _Scene:
    """One sheet over one face: its grid in the photo (rows, columns, 2), its normals seen from the camera."""

    fit: head.Fit
    sheet: shapes.Sheet
    places: np.ndarray
    facing: np.ndarray
    window: _Window
    part: np.ndarray
    seen: light.Light
    soft: float


def put_on(
    rgb: np.ndarray,
    points: np.ndarray,
    *,
    style: str | Style = "surgical-blue",
    wear: str = "with_mask",
    scarf_as: str = "without_mask",
    rng: np.random.Generator | int = 0,
) -> Masked:
    """Draw a mask on the face with these 68 points (68, 2); the photo given stays as it is.

    style: a name of `STYLES`, the path of a transparent PNG, or a Style; wear: a name of `WEARS`; scarf_as: the class
    that a scarf over mouth and nose counts as; rng: a generator or a seed, same seed, same bytes. Several faces: call
    again on the result. Raises ValueError for unknown names, for points that are not finite, and where the mask would
    lie outside the photo.
    """
    look = find(style)
    if scarf_as not in classes.NAMES:
        raise ValueError(f"scarf_as: must be one of {', '.join(classes.NAMES)}, got {scarf_as!r}")
    points = np.asarray(points, float)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"points: must be 68 finite points, got shape {points.shape}")
    rng = np.random.default_rng(rng)
    scene = _set(rgb, points, shapes.build(look.shape, wear, rng=rng))
    fabric = look.draw(fabrics.Room(_texels(scene.places), rng, bunched=scene.sheet.bunched))
    fabric = fabric.turned() if wear == "upside_down" else fabric
    grain = light.grain(rgb, scene.fit)
    cover, clear = _filled(scene), None
    if fabric.cover is not None or fabric.alpha is not None:
        own, clear = _layers(scene, fabric)
        cover *= own
    straps = _straps(scene, fabric)
    shadow = _shadow(scene, np.maximum(cover, straps[0]), points)
    polygon = _outline(cover, scene.window)
    noise = _grain(cover.shape, grain, rng)
    inside, local = _laid(scene, straps, (cover, _painted(scene, fabric), clear), shadow, noise=noise)
    out, mask = rgb.copy(), np.zeros(rgb.shape[:2], np.uint8)
    out[scene.window.slices], mask[scene.window.slices] = inside, local
    parameters = {k: round(float(v), 4) for k, v in scene.sheet.parameters.items()}
    parameters |= {"blur": round(scene.soft, 3), "grain": round(grain, 3)}
    name = look.name or (style if isinstance(style, str) else "own")
    label = shapes.WEARS[wear] if not look.scarf or scarf_as == "with_mask" else scarf_as
    return Masked(out, mask, polygon, label, name, wear, parameters)


def _set(rgb: np.ndarray, points: np.ndarray, sheet: shapes.Sheet) -> _Scene:
    fit = head.fit(points)
    places = fit.project(sheet.points.reshape(-1, 3)).reshape(*sheet.points.shape[:2], 2)
    window = _window(rgb, fit, places, sheet)
    seen, soft = light.estimate(rgb, fit), light.blur(rgb, points)
    return _Scene(fit, sheet, places, fit.facing(sheet.normals), window, rgb[window.slices], seen, soft)


def _window(rgb: np.ndarray, fit: head.Fit, places: np.ndarray, sheet: shapes.Sheet) -> _Window:
    lines = [fit.project(line) for line in sheet.straps]
    every = np.concatenate([places.reshape(-1, 2), *lines])
    margin = 0.22 * fit.scale + 4
    h, w = rgb.shape[:2]
    low = np.clip(np.floor(every.min(0) - margin), 0, (w, h)).astype(int)
    high = np.clip(np.ceil(every.max(0) + margin), 0, (w, h)).astype(int)
    if (high - low).min() < 2:
        raise ValueError("points: the mask would lie outside the photo")
    fine = 4 if (high - low).max() < 220 else 3 if (high - low).max() < 400 else 2
    return _Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]), fine)


def _texels(places: np.ndarray) -> tuple[int, int]:
    """Size of the fabric's own picture: about a texel a pixel, within bounds."""
    w = float(np.linalg.norm(np.diff(places, axis=1), axis=2).sum(1).max())
    h = float(np.linalg.norm(np.diff(places, axis=0), axis=2).sum(0).max())
    return int(np.clip(w, 48, 400)), int(np.clip(h, 40, 300))


def _filled(scene: _Scene) -> np.ndarray:
    """Coverage 0–1 of the sheet's outline: all its quads filled on the finer grid."""
    window = scene.window
    fine = np.zeros((window.h * window.fine, window.w * window.fine), np.uint8)
    scaled = np.round(window.local(scene.places) * window.fine * 16 - 8).astype(np.int32)  # 4 bits below the pixel
    quads = np.stack([scaled[:-1, :-1], scaled[:-1, 1:], scaled[1:, 1:], scaled[1:, :-1]], axis=2)
    for quad in quads.reshape(-1, 4, 2):
        cv2.fillConvexPoly(fine, quad, 255, cv2.LINE_8, 4)
    return window.shrink(fine)


def _straps(scene: _Scene, fabric: fabrics.Fabric) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (h, w) and colour (3,) of the straps; behind hair and on the far side of the head they vanish."""
    fit, window, seen = scene.fit, scene.window, scene.seen
    fine = np.zeros((window.h * window.fine, window.w * window.fine), np.uint8)
    width = scene.sheet.width * fit.scale * window.fine
    for line in scene.sheet.straps:
        normals = line * (1, 0, 0.55) / np.linalg.norm(line * (1, 0, 0.55), axis=1, keepdims=True)
        visible = fit.facing(normals)[:, 2] > -0.05
        if visible.sum() < 2:
            continue
        path = np.round(window.local(fit.project(line))[visible] * window.fine * 16 - 8).astype(np.int32)
        cv2.polylines(fine, [path], False, 255, max(1, round(width)), cv2.LINE_AA, 4)
    cover = window.shrink(fine) * min(1.0, max(width / window.fine, 0.35))
    cover *= _skinny(scene.part, seen, fit.scale)
    rope = _lit(np.array([[fabric.strap]], np.float32) / 255, _floats([seen.ambient * 1.05])[None], seen)[0, 0]
    return cover, rope


def _skinny(part: np.ndarray, seen: light.Light, scale: float) -> np.ndarray:
    """How much each pixel looks like this face's skin, 0–1, smoothed: hair, hats and hands before it hide a strap."""
    step = max(1.0, scale / 24)
    wh = max(1, round(part.shape[1] / step)), max(1, round(part.shape[0] / step))
    small = cv2.resize(part, wh, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) - seen.skin.astype(np.float32)
    away = np.sqrt((lab**2 * _floats([0.12, 1, 1])).sum(2)) / (2.2 * seen.spread + 8)
    skin = 1 / (1 + np.exp(np.clip((away - 1) * 7, -30, 30)))
    return cv2.resize(cv2.GaussianBlur(skin, (0, 0), 0.8), (part.shape[1], part.shape[0]))


def _shadow(scene: _Scene, both: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How much light the mask takes from what lies beside it, 0–1: contact all round, and away from the light."""
    fit, window, seen = scene.fit, scene.window, scene.seen
    small = max(1.0, fit.scale / 28)
    wh = max(2, round(window.w / small)), max(2, round(window.h / small))
    low = cv2.resize(both, wh, interpolation=cv2.INTER_AREA)
    unit = fit.scale / small
    side = seen.toward[:2] / max(float(np.linalg.norm(seen.toward)), 1e-6)
    away = -side * 0.05 * unit + (0, 0.025 * unit)
    moved = cv2.warpAffine(low, _floats([[1, 0, away[0]], [0, 1, away[1]]]), wh)
    dark = 0.30 * cv2.GaussianBlur(low, (0, 0), 0.045 * unit) + 0.30 * cv2.GaussianBlur(moved, (0, 0), 0.07 * unit)
    jaw = window.local(points[:17]) / small
    hull = np.concatenate([jaw, (window.local(points[[26, 24, 19, 17]]) / small)])
    allowed: np.ndarray = np.zeros((wh[1], wh[0]), np.float32)  # face and neck, not the wall behind
    cv2.fillConvexPoly(allowed, cv2.convexHull(np.round(hull).astype(np.int32)), 1.0)
    down = fit.rotation[:2, 1] * unit
    neck = np.concatenate([jaw[3:14], jaw[3:14] * (0.8, 1) + jaw[3:14].mean(0) * (0.2, 0) + 0.7 * down])
    cv2.fillConvexPoly(allowed, cv2.convexHull(np.round(neck).astype(np.int32)), 1.0)
    allowed = cv2.GaussianBlur(allowed, (0, 0), 0.05 * unit)
    dark = np.clip(dark * allowed - 0.02, 0, 0.55)
    return cv2.resize(dark, (window.w, window.h), interpolation=cv2.INTER_LINEAR)


def _floats(values: object) -> np.ndarray:
    return np.array(values, np.float32)


def _lit(albedo: np.ndarray, amount: np.ndarray, seen: light.Light) -> np.ndarray:
    """Colours under this face's light, rgb 0–255: albedo (…, 3) sRGB 0–1, amount (…) linear."""
    if seen.colourful < 1:
        grey = albedo @ _floats([0.299, 0.587, 0.114])
        albedo = grey[..., None] + (albedo - grey[..., None]) * np.float32(seen.colourful)
    linear = np.square(np.clip(albedo, 0, 1)) * seen.tint.astype(np.float32)
    linear *= np.maximum(amount, 0)[..., None].astype(np.float32)
    high = np.maximum(linear - 0.7, 0)
    linear = np.minimum(linear, 0.7) + 0.3 * high / (0.3 + high)  # highlights roll off
    return 255 * cv2.sqrt(linear)


def _painted(scene: _Scene, fabric: fabrics.Fabric) -> np.ndarray:
    """The fabric under the face's light (window h, w, 3), float 0–255; meaningful where the sheet covers."""
    fit, seen = scene.fit, scene.seen
    h, w = fabric.relief.shape
    facing = scene.facing.astype(np.float32)
    amount = _stretched(seen.on(facing)[..., None].astype(np.float32), (w, h))
    beside = _stretched(facing[..., :2], (w, h))
    toward = seen.toward[:2] + (0, -0.25 * seen.ambient)  # light mostly comes a little from above
    slope_x = cv2.Sobel(fabric.relief.astype(np.float32), cv2.CV_32F, 1, 0, scale=w / (8 * fabrics.WIDE))
    slope_y = cv2.Sobel(fabric.relief.astype(np.float32), cv2.CV_32F, 0, 1, scale=h / (8 * fabrics.TALL))
    axes = fit.rotation[:2, :2] @ np.array([1.0, 0]), fit.rotation[:2, :2] @ np.array([0, 1.0])
    amount = amount - (slope_x * float(axes[0] @ toward) + slope_y * float(axes[1] @ toward)) * 1.3
    if fabric.gloss:
        amount = amount + fabric.gloss * seen.ambient * np.exp(-((beside**2).sum(2)) * 12)
    amount = np.maximum(amount, 0.25 * seen.ambient)
    lit = np.clip(_lit(fabric.rgb, amount, seen), 0, 255).astype(np.uint8)
    texel = w / max(float(np.linalg.norm(np.diff(scene.places, axis=1), axis=2).sum(1).max()), 1.0)
    if scene.soft * texel > 0.3:
        lit = cv2.GaussianBlur(lit, (0, 0), scene.soft * texel)
    return _warped(scene, lit)


def _layers(scene: _Scene, fabric: fabrics.Fabric) -> tuple[np.ndarray, np.ndarray]:
    """Where there is fabric on the sheet, and where it is clear, in the window (h, w), 0–1."""
    ones = np.ones_like(fabric.relief, np.float32)
    both = [ones if a is None else a for a in (fabric.cover, fabric.alpha)]
    layers = _warped(scene, cv2.convertScaleAbs(cv2.merge(both), alpha=255)).astype(np.float32) / 255
    return layers[..., 0], 1 - layers[..., 1]


def _stretched(grid: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    """A quantity known at the sheet's grid points, at every texel."""
    rows, columns = grid.shape[:2]
    x = (np.arange(wh[0], dtype=np.float32) + 0.5) / wh[0] * (columns - 1)
    y = (np.arange(wh[1], dtype=np.float32) + 0.5) / wh[1] * (rows - 1)
    at = np.meshgrid(x, y)
    return cv2.remap(np.ascontiguousarray(grid), at[0], at[1], cv2.INTER_LINEAR)


def _warped(scene: _Scene, picture: np.ndarray) -> np.ndarray:
    """The fabric's picture as it lies in the window: places → (u, v) by a thin-plate spline through what is seen."""
    window = scene.window
    h, w = picture.shape[:2]
    rows, columns = scene.places.shape[:2]
    chosen = np.zeros((rows, columns), bool)
    chosen[::2, ::3] = True
    chosen &= scene.facing[..., 2] > 0.05
    if chosen.sum() < 8:
        chosen = np.zeros((rows, columns), bool)
        chosen[::2, ::3] = True
    v, u = np.nonzero(chosen)
    target = np.column_stack([u / (columns - 1) * w - 0.5, v / (rows - 1) * h - 0.5])
    back = head.spline(window.local(scene.places)[chosen], target, smooth=1e-3)
    step = max(4, round(max(window.w, window.h) / 40))
    gw, gh = -(-window.w // step) + 1, -(-window.h // step) + 1
    gx, gy = np.meshgrid(np.arange(gw) * step + 0.5, np.arange(gh) * step + 0.5)
    coarse = back(np.column_stack([gx.ravel(), gy.ravel()])).reshape(gh, gw, 2).astype(np.float32)
    x = (np.arange(window.w, dtype=np.float32)) / step
    y = (np.arange(window.h, dtype=np.float32)) / step
    at = np.meshgrid(x, y)
    where = cv2.remap(coarse, at[0], at[1], cv2.INTER_LINEAR)
    return cv2.remap(picture, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _laid(
    scene: _Scene,
    straps: tuple[np.ndarray, np.ndarray],
    sheet: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    shadow: np.ndarray,
    *,
    noise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Shadow, then straps, then fabric over the photo's part, as soft and grainy as the photo: (rgb, pixel mask)."""
    part, soft = scene.part, scene.soft
    size = 2 * round(2.5 * soft) + 1
    (rope, rope_colour), (cover, colour, clear) = straps, sheet
    if soft > 0.45:
        rope, cover = (cv2.GaussianBlur(layer, (size, size), soft) for layer in (rope, cover))
    cover[cover < _LEAST] = 0
    rope[rope < _LEAST] = 0
    rope *= 1 - cover
    shadow[shadow < _LEAST / 2] = 0
    painted = cover if clear is None else cover * (1 - clear)
    both = rope + painted
    if clear is not None:
        shadow = shadow * (1 - 0.7 * cover * clear)  # light falls in through the window
    keep = (1 - both) * (1 - shadow)
    out = cv2.multiply(part, cv2.merge([keep] * 3), dtype=cv2.CV_32F)
    out = cv2.add(out, cv2.multiply(colour, cv2.merge([painted] * 3), dtype=cv2.CV_32F))
    noise *= both
    out = cv2.add(out, cv2.merge([rope * tone + noise for tone in rope_colour]))
    mask = np.where(keep < 1, SHADOW, 0).astype(np.uint8)
    mask[rope > 0.5] = STRAP
    mask[cover > 0.5] = FABRIC
    laid = part.copy()
    cv2.copyTo(np.clip(out, 0, 255, out=out).astype(np.uint8), mask, laid)
    return laid, mask


@cache
def _tile() -> np.ndarray:
    """Film grain: Gaussian, a little soft as after a camera's own processing, standard deviation 1."""
    field: np.ndarray = np.random.default_rng(68).standard_normal((640, 640), dtype=np.float32)
    field = cv2.GaussianBlur(field, (0, 0), 0.55)
    return field / field.std()


def _grain(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> np.ndarray:
    """A piece of grain (h, w) of this strength in grey values."""
    tile = _tile()
    y, x = rng.integers(0, 640, 2)
    rows, columns = (np.arange(shape[0]) + y) % 640, (np.arange(shape[1]) + x) % 640
    return tile[rows][:, columns] * np.float32(strength)


def _outline(cover: np.ndarray, window: _Window) -> np.ndarray:
    """The fabric's outline (k, 2) in pixels of the photo; the largest piece."""
    found, _ = cv2.findContours((cover > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return np.empty((0, 2))
    largest = max(found, key=cv2.contourArea)
    simple = cv2.approxPolyDP(largest, 0.6, True)[:, 0].astype(float)
    return simple + 0.5 + (window.x, window.y)


def mesh(
    rgb: np.ndarray, points: np.ndarray, *, style: str | Style = "surgical-blue", wear: str = "with_mask"
) -> np.ndarray:
    """A copy of a photo with the sheet's mesh drawn over the face: how a mask of this style is going to lie there."""
    fit = head.fit(np.asarray(points, float))
    sheet = shapes.build(find(style).shape, wear, rng=np.random.default_rng(0))
    places = fit.project(sheet.points.reshape(-1, 3)).reshape(*sheet.points.shape[:2], 2)
    lines = [*places, *places.transpose(1, 0, 2), *(fit.project(strap) for strap in sheet.straps)]
    picture, thin = rgb.copy(), max(1, round(fit.scale / 60))
    for line in lines:
        cv2.polylines(picture, [np.round(line * 16 - 8).astype(np.int32)], False, (0, 158, 115), thin, cv2.LINE_AA, 4)
    return picture
