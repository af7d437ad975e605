"""Crops and what happens to them before a network sees them: moved, turned, darkened, shrunk, compressed.

What a photo's size, sharpness and compression betray about its source is drawn at random, so that it says nothing
about the class: in public sets bare faces are blurred and masked ones sharp, and a network learns that first.
"""

import cv2
import numpy as np

__all__ = ["WIDE", "augment", "light", "small_view", "view", "wide_size"]

WIDE = 0.6  # margin of the crops that `fit` takes; leaves room for moved boxes at a margin of 0.25


def wide_size(size: int) -> int:
    """Side in pixels of the wide crops that a network of input `size` wants, so that nothing is enlarged."""
    return 2 * round(size * (1 + 2 * WIDE) / (1 + 2 * 0.25) / 2)


def view(wide: np.ndarray, *, size: int, margin: float = 0.25) -> np.ndarray:
    """The plain crops inside wide ones: uint8 (n, s, s, 3) → (n, size, size, 3), as `boxes.crop` cuts them."""
    inner = wide.shape[1] * (1 + 2 * margin) / (1 + 2 * WIDE)
    matrix = _matrix(wide.shape[1], size, inner)
    return np.stack([_warp(crop, matrix, size) for crop in wide] or [np.zeros((size, size, 3), np.uint8)])[: len(wide)]


def _matrix(
    wide: int, size: int, inner: float, *, turn: float = 0.0, shift: tuple = (0.0, 0.0), stretch: tuple = (1.0, 1.0)
) -> np.ndarray:
    """Affine map (2, 3) from the network's pixels to those of a wide crop; a negative stretch mirrors."""
    c, s = np.cos(turn), np.sin(turn)
    linear = np.array([[c, -s], [s, c]]) @ np.diag(np.array(stretch, float) * inner / size)
    centre = (wide - 1) / 2 + np.array(shift)
    return np.column_stack([linear, centre - linear @ np.full(2, (size - 1) / 2)])


def _warp(crop: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP  # the matrix already leads from result to source
    return cv2.warpAffine(crop, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def augment(
    wide: np.ndarray,
    *,
    rng: np.random.Generator,
    size: int,
    margin: float = 0.25,
    shrink: float = 0.7,
    jitter: float = 1.0,
) -> np.ndarray:
    """One wide crop (s, s, 3) as another camera, face detector and website might have shown it: (size, size, 3).

    The box is moved, turned and stretched (jitter scales how far), and mirrored; then light and colour, blur, a lower
    resolution (a share `shrink` of crops, 16–112 px), grain and JPEG. The same rng state gives the same picture.
    """
    side = wide.shape[0]
    face = side / (1 + 2 * WIDE)
    zoom = (np.exp(rng.uniform(np.log(0.8), np.log(1.2))) * np.exp(rng.uniform(-0.06, 0.06, 2))) ** jitter
    zoom[0] *= rng.choice((-1, 1))
    shift = tuple(rng.uniform(-0.1, 0.1, 2) * face * jitter)
    turn = np.deg2rad(rng.normal(0, 8)) * jitter
    matrix = _matrix(side, size, face * (1 + 2 * margin), turn=turn, shift=shift, stretch=tuple(zoom))
    return _degrade(light(_warp(wide, matrix, size), rng), rng, shrink=shrink)


def light(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another exposure, contrast, colour of light; now and then no colour at all."""
    steps = np.linspace(0, 1, 256)
    gamma, gain = np.exp(rng.normal(0, 0.35)), np.exp(rng.normal(-0.05, 0.2))
    contrast, cast = np.exp(rng.normal(0, 0.2)), np.exp(rng.normal(0, 0.06, 3))
    curve = (steps**gamma - 0.5) * contrast + 0.5
    table = (curve[:, None] * cast * gain * 255).clip(0, 255).astype(np.uint8)
    rgb = cv2.LUT(rgb, table[None])
    if rng.random() < 0.08:
        rgb = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return rgb


def _degrade(rgb: np.ndarray, rng: np.random.Generator, *, shrink: float) -> np.ndarray:
    """Blur, lower resolution, grain, JPEG: in this order, as a lens, a sensor and a website do it."""
    size = rgb.shape[0]
    if rng.random() < 0.3:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.3, 1.8))
    if rng.random() < shrink:
        side = round(np.exp(rng.uniform(np.log(16), np.log(112))))
        if side < size:
            how = cv2.INTER_AREA if rng.random() < 0.8 else cv2.INTER_LINEAR
            rgb = cv2.resize(rgb, (side, side), interpolation=how)
    if rng.random() < 0.4:
        grain = rng.normal(0, rng.uniform(1, 12), (*rgb.shape[:2], 1)) + rng.normal(0, 2, rgb.shape)
        rgb = (rgb + grain).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))]
        rgb = np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, quality)[1], cv2.IMREAD_UNCHANGED))
    if rgb.shape[0] != size:
        how = cv2.INTER_LINEAR if rng.random() < 0.8 else cv2.INTER_CUBIC
        rgb = cv2.resize(rgb, (size, size), interpolation=how)
    return rgb


def small_view(wide: np.ndarray, *, size: int, margin: float, seed: int = 1) -> np.ndarray:
    """Wide crops as small faces of photos: validation looks at these as well, always at the same ones."""
    plain = view(wide, size=size, margin=margin)
    shown = [_degrade(c, np.random.default_rng([seed, i]), shrink=1.0) for i, c in enumerate(plain)]
    return np.stack(shown) if shown else plain
