"""Paint a sheet over a face: the fabric lit, the shadow cast, edges and grain as the photo has them."""

from functools import cache

import cv2
import numpy as np

from . import fabrics, jpeg, light
from .scene import Scene, straps, warped

__all__ = ["FABRIC", "SHADOW", "STRAP", "grain", "laid", "layer", "lit", "shadow"]

FABRIC, STRAP, SHADOW = 255, 160, 80  # values of the pixel mask; 0: the photo's own pixel, unchanged
_LEAST = 1  # of 255: no more coverage than this is none


def _floats(values: object) -> np.ndarray:
    return np.array(values, np.float32)


def _shone(albedo: np.ndarray, amount: np.ndarray, seen: light.Light) -> np.ndarray:
    """Colours under this face's light, uint8 (…, 3): albedo (…, 3) sRGB 0–1, amount (…) linear."""
    if seen.colourful < 1:
        grey = albedo @ _floats([0.299, 0.587, 0.114])
        albedo = grey[..., None] + (albedo - grey[..., None]) * np.float32(seen.colourful)
    linear = np.square(np.clip(albedo, 0, 1)) * seen.tint.astype(np.float32)
    linear = linear * np.maximum(amount, 0)[..., None].astype(np.float32)
    return np.clip(light.shown(linear), 0, 255).astype(np.uint8)


def lit(scene: Scene, fabric: fabrics.Fabric) -> np.ndarray:
    """The fabric under the face's light (h, w, 3) uint8, on its own texels, as soft as the photo."""
    fit, seen = scene.fit, scene.seen
    h, w = fabric.relief.shape
    relief = fabric.relief.astype(np.float32)
    facing = scene.facing.astype(np.float32)
    amount = _stretched(seen.on(facing).astype(np.float32), (w, h))
    toward = seen.toward[:2] + (0, -0.25 * seen.ambient)  # light mostly comes a little from above
    across, down = (float(axis @ toward) for axis in fit.rotation[:2, :2].T)
    slope = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1.3 * across * w / (8 * fabrics.WIDE))
    slope = slope + cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1.3 * down * h / (8 * fabrics.TALL))
    amount = amount - slope
    if fabric.gloss:
        beside = (_stretched(facing[..., :2], (w, h)) ** 2).sum(2)
        amount = amount + np.float32(fabric.gloss * seen.ambient) * np.exp(-12 * beside)
    amount = np.maximum(amount, 0.25 * seen.ambient)
    colours = _shone(fabric.rgb, amount, seen)
    # texels a pixel, along and down: a sheet folded small has many rows to one of the photo's
    wide, tall = (float(np.linalg.norm(np.diff(scene.places, axis=k), axis=2).sum(k).max()) for k in (1, 0))
    soft = scene.soft * w / max(wide, 1.0), scene.soft * h / max(tall, 1.0)
    return cv2.GaussianBlur(colours, (0, 0), soft[0], sigmaY=soft[1]) if max(soft) > 0.3 else colours


def _stretched(grid: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    """A quantity known at the sheet's grid points, at every texel: corner to corner."""
    rows, columns = grid.shape[:2]
    x = (np.arange(wh[0], dtype=np.float32) + 0.5) / wh[0] * (columns - 1)
    y = (np.arange(wh[1], dtype=np.float32) + 0.5) / wh[1] * (rows - 1)
    at = np.meshgrid(x, y)
    return cv2.remap(np.ascontiguousarray(grid), at[0], at[1], cv2.INTER_LINEAR)


def shadow(scene: Scene, both: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Light that the mask leaves to what lies beside it, 255: all. Contact all round, and away from the light.

    both (window) uint8: what mask and straps cover.
    """
    fit, window, seen = scene.fit, scene.window, scene.seen
    small = max(1.0, fit.scale / 28)
    wh = max(2, round(window.w / small)), max(2, round(window.h / small))
    low = cv2.resize(both, wh, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
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
    left = 255 * (1 - np.clip(dark * allowed - 0.02, 0, 0.55))
    left = cv2.resize(left.round().astype(np.uint8), (window.w, window.h), interpolation=cv2.INTER_LINEAR)
    return left


def laid(
    scene: Scene, fabric: fabrics.Fabric, cover: np.ndarray, points: np.ndarray, *, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shadow, then straps, then fabric over the window, as soft and grainy as the photo: (rgb, pixel mask)."""
    rope, sheet = _soft(scene, straps(scene)), _soft(scene, cover)
    place = scene.inner.inside(scene.window)
    both = rope.copy()
    both[place] = cv2.max(rope[place], sheet)
    left = shadow(scene, both, points)
    painted = sheet
    if fabric.alpha is not None:  # through a window the face is seen, and light falls in
        alpha = layer(scene, fabric.alpha)
        painted = cv2.multiply(sheet, alpha, scale=1 / 255)
        left[place] = cv2.max(left[place], cv2.multiply(sheet, 255 - alpha, scale=0.85 / 255))
    out = cv2.multiply(scene.part, cv2.merge([cv2.multiply(left, 255 - rope, scale=1 / 255)] * 3), scale=1 / 255)
    tone = _shone(_floats([[fabric.strap]]) / 255, _floats([[scene.seen.ambient * 1.05]]), scene.seen)[0, 0]
    out = cv2.add(out, cv2.merge([cv2.convertScaleAbs(rope, alpha=level / 255) for level in tone.tolist()]))
    colours = cv2.add(warped(scene, lit(scene, fabric)), noise, dtype=cv2.CV_8U)
    share = painted.astype(np.float32) * np.float32(1 / 255)
    out[place] = cv2.blendLinear(colours, np.ascontiguousarray(out[place]), share, 1 - share)
    mask = cv2.threshold(cv2.bitwise_or(255 - left, both), 0, SHADOW, cv2.THRESH_BINARY)[1]
    mask = cv2.max(mask, cv2.threshold(rope, 127, STRAP, cv2.THRESH_BINARY)[1])
    mask[place] = cv2.max(mask[place], cv2.threshold(sheet, 127, FABRIC, cv2.THRESH_BINARY)[1])
    if scene.quality is not None:
        cv2.copyTo(jpeg.pressed(out[place], scene.quality), mask[place], out[place])
    return out, mask


def layer(scene: Scene, share: np.ndarray) -> np.ndarray:
    """A layer of the fabric, cover or alpha (h, w) 0–1, as it lies in the inner window: uint8."""
    return warped(scene, cv2.convertScaleAbs(share, alpha=255))


def _soft(scene: Scene, cover: np.ndarray) -> np.ndarray:
    """Coverage with edges as soft as the photo's."""
    if scene.soft > 0.45:
        size = 2 * round(2.5 * scene.soft) + 1
        cover = cv2.GaussianBlur(cover, (size, size), scene.soft)
    return cv2.threshold(cover, _LEAST, 255, cv2.THRESH_TOZERO)[1]


@cache
def _tile() -> np.ndarray:
    """Film grain: Gaussian, a little soft as after a camera's own processing, standard deviation 1."""
    field: np.ndarray = np.random.default_rng(68).standard_normal((640, 640), dtype=np.float32)
    field = cv2.GaussianBlur(field, (0, 0), 0.55)
    return field / field.std()


def grain(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> np.ndarray:
    """A piece of grain (h, w, 3) of this strength in grey values."""
    tile = _tile()
    if shape[0] > tile.shape[0] or shape[1] > tile.shape[1]:
        tile = np.tile(tile, (-(-shape[0] // tile.shape[0]), -(-shape[1] // tile.shape[1])))
    y, x = (int(rng.integers(0, most - size + 1)) for most, size in zip(tile.shape, shape, strict=True))
    return cv2.merge([tile[y : y + shape[0], x : x + shape[1]] * np.float32(strength)] * 3)
