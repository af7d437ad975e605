"""What stands behind the people: rooms, streets, parks and studio walls, out of focus; and pictures without anybody."""

from collections.abc import Callable

import cv2
import numpy as np

__all__ = ["SCENES", "background", "finish", "landscape"]

Array = np.ndarray


def background(size: tuple[int, int], *, rng: np.random.Generator, name: str | None = None) -> Array:
    """A scene out of focus, rgb 0–255 float32 (h, w, 3), for a picture of size (w, h); name is one of SCENES."""
    name = str(rng.choice(list(SCENES))) if name is None else name
    w, h = size
    shrink = min(1.0, 220 / max(w, h))
    small = max(24, round(w * shrink)), max(24, round(h * shrink))
    picture = SCENES[name](small, rng)
    soft = 0.0 if name == "studio" else rng.uniform(1.6, 5.0) * max(small) / 220
    picture = cv2.GaussianBlur(picture, (0, 0), soft) if soft else picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).clip(0, 255)


def _ramp(size: tuple[int, int], top: tuple, bottom: tuple) -> Array:
    t = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(
        np.broadcast_to(np.array(top, np.float32) * (1 - t) + np.array(bottom, np.float32) * t, (size[1], size[0], 3))
    )


def _box(picture: Array, x1: float, y1: float, x2: float, y2: float, colour: tuple) -> None:
    h, w = picture.shape[:2]
    cv2.rectangle(picture, (round(x1 * w), round(y1 * h)), (round(x2 * w), round(y2 * h)), colour, -1)


def _tone(rng: np.random.Generator, *, low: float, high: float, chroma: float = 18) -> tuple[float, float, float]:
    r, g, b = np.clip(rng.uniform(low, high) + rng.normal(0, chroma, 3), 0, 255)
    return float(r), float(g), float(b)


def _studio(size: tuple[int, int], rng: np.random.Generator) -> Array:
    colour = np.array(_tone(rng, low=70, high=205, chroma=22))
    w, h = size
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    far = np.hypot((xx / w - rng.uniform(0.3, 0.7)) * 1.1, yy / h - rng.uniform(0.25, 0.5))
    mottle = cv2.resize(rng.normal(0, 3.0, (9, 9)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return ((1.18 - 0.75 * far**1.4)[..., None] * colour + mottle[..., None]).astype(np.float32)


def _room(size: tuple[int, int], rng: np.random.Generator) -> Array:
    wall = np.array(_tone(rng, low=120, high=215, chroma=14))
    picture = _ramp(size, tuple(wall * 1.06), tuple(wall * 0.82))
    _box(picture, 0, 0.80, 1, 1, tuple(wall * 0.45 + 20))
    x = rng.uniform(-0.1, 0.7)
    _box(picture, x - 0.02, 0.05, x + 0.40, 0.62, tuple(wall * 0.72))
    _box(picture, x, 0.08, x + 0.38, 0.59, (232, 240, 246))
    _box(picture, x + 0.18, 0.08, x + 0.20, 0.59, tuple(wall * 0.8))
    for _ in range(3):
        bx, by = rng.uniform(0, 1), rng.uniform(0.08, 0.45)
        _box(picture, bx, by, bx + rng.uniform(0.08, 0.2), by + rng.uniform(0.1, 0.25), _tone(rng, low=60, high=200))
    bx = rng.uniform(0, 0.8)
    _box(picture, bx, 0.62, bx + 0.35, 0.95, _tone(rng, low=50, high=130, chroma=25))
    return picture


def _shelf(size: tuple[int, int], rng: np.random.Generator) -> Array:
    wood = np.array((118, 84, 56)) * rng.uniform(0.5, 1.3)
    picture = _ramp(size, tuple(wood * 0.55), tuple(wood * 0.45))
    for row in range(4):
        top, x = row / 4 + 0.02, 0.0
        while x < 1:
            wide, tall = rng.uniform(0.02, 0.055), rng.uniform(0.13, 0.2)
            if rng.random() < 0.88:
                _box(picture, x, top + 0.205 - tall, x + wide, top + 0.205, _tone(rng, low=50, high=200, chroma=38))
            x += wide + 0.003
        _box(picture, 0, top + 0.205, 1, top + 0.235, tuple(wood))
    return picture


def _street(size: tuple[int, int], rng: np.random.Generator) -> Array:
    picture = _ramp(size, (168, 196, 224), (222, 226, 226))
    x = -0.1
    while x < 1.0:
        wide, top = rng.uniform(0.16, 0.36), rng.uniform(0.02, 0.38)
        wall = np.array(_tone(rng, low=90, high=190, chroma=20))
        _box(picture, x, top, x + wide, 0.85, tuple(wall))
        for wy in np.arange(top + 0.05, 0.72, 0.11):
            for wx in np.arange(x + 0.02, x + wide - 0.03, 0.06):
                pane = (60, 72, 86) if rng.random() < 0.7 else (236, 214, 160)
                _box(picture, wx, wy, wx + 0.03, wy + 0.06, pane)
        x += wide + rng.uniform(-0.02, 0.06)
    _box(picture, 0, 0.82, 1, 1, (112, 110, 108))
    for _ in range(2):
        cx = rng.uniform(0, 0.9)
        _box(picture, cx, 0.74, cx + 0.2, 0.88, _tone(rng, low=50, high=190, chroma=50))
    return picture


def _park(size: tuple[int, int], rng: np.random.Generator) -> Array:
    picture = _ramp(size, (190, 214, 232), (150, 176, 110))
    h, w = picture.shape[:2]
    green = np.array(rng.choice([(74, 104, 48), (98, 118, 52), (60, 92, 60), (146, 112, 48)]), float)
    for _ in range(130):
        at = round(rng.uniform(0, 1) * w), round(np.clip(rng.normal(0.34, 0.2), -0.1, 0.7) * h)
        colour = tuple(np.clip(green * rng.uniform(0.5, 1.6), 0, 245))
        cv2.circle(picture, at, round(rng.uniform(0.02, 0.08) * w), colour, -1)
    for _ in range(4):
        x = rng.uniform(0, 1)
        _box(picture, x, 0.3, x + rng.uniform(0.015, 0.04), 0.75, (72, 54, 40))
    _box(picture, 0, 0.74, 1, 1, tuple(np.clip(green * 1.25, 0, 240)))
    for _ in range(40):
        at = round(rng.uniform(0, 1) * w), round(rng.uniform(0.0, 0.5) * h)
        cv2.circle(picture, at, round(rng.uniform(0.005, 0.018) * w), (236, 240, 214), -1)
    return picture


def _evening(size: tuple[int, int], rng: np.random.Generator) -> Array:
    picture = _ramp(size, (26, 30, 52), (54, 42, 44))
    h, w = picture.shape[:2]
    for _ in range(46):
        at = round(rng.uniform(0, 1) * w), round(rng.uniform(0.05, 0.95) * h)
        warm = np.array([(255, 190, 96), (255, 226, 170), (120, 170, 255), (255, 96, 80), (140, 230, 170)])
        colour = warm[rng.choice(5, p=[0.4, 0.3, 0.12, 0.12, 0.06])] * rng.uniform(0.35, 0.9)
        disc = np.zeros((h, w), np.uint8)
        cv2.circle(disc, at, round(rng.uniform(0.015, 0.05) * w), 255, -1, cv2.LINE_AA)
        picture += disc[..., None] / np.float32(255) * np.float32(colour) * 0.7
    return picture


def _office(size: tuple[int, int], rng: np.random.Generator) -> Array:
    picture = _ramp(size, (206, 210, 212), (150, 148, 146))
    for k in range(3):
        _box(picture, 0.08 + 0.33 * k, 0.04, 0.28 + 0.33 * k, 0.07, (252, 252, 248))
    _box(picture, 0.0, 0.22, 1.0, 0.50, (186, 202, 214))
    for x in np.arange(0.0, 1.0, rng.uniform(0.12, 0.22)):
        _box(picture, x, 0.20, x + 0.014, 0.52, (110, 114, 120))
    for _ in range(3):
        x = rng.uniform(0, 0.9)
        _box(picture, x, 0.48, x + 0.18, 0.62, (44, 48, 54))
        _box(picture, x + 0.01, 0.49, x + 0.17, 0.60, _tone(rng, low=90, high=190, chroma=30))
    _box(picture, 0, 0.64, 1, 0.72, _tone(rng, low=120, high=200, chroma=12))
    _box(picture, 0, 0.72, 1, 1, (92, 92, 96))
    return picture


SCENES: dict[str, Callable[[tuple[int, int], np.random.Generator], Array]] = {
    "studio": _studio, "room": _room, "shelf": _shelf, "street": _street, "park": _park, "evening": _evening,
    "office": _office,
}  # fmt: skip


def landscape(size: tuple[int, int], *, rng: np.random.Generator) -> Array:
    """A picture with nobody in it: hills under a sky, with a sun or trees; rgb uint8 (h, w, 3)."""
    w, h = size
    top, low = rng.choice([(0, 1), (1, 2), (2, 0)])[0], rng.uniform(0.4, 0.6)
    skies = [((86, 140, 206), (214, 228, 236)), ((236, 150, 96), (250, 220, 170)), ((60, 70, 110), (196, 160, 170))]
    picture = _ramp(size, *skies[int(top)])
    cv2.circle(
        picture, (round(rng.uniform(0.1, 0.9) * w), round(low * 0.5 * h)), w // 18, (255, 244, 214), -1, cv2.LINE_AA
    )
    x = np.arange(w)
    base = np.array(rng.choice([(70, 104, 60), (96, 88, 70), (70, 92, 110)]), float)
    for k in range(4):
        waves = np.zeros(w)
        for _ in range(4):
            waves += np.sin(x / w * rng.uniform(4, 16) + rng.uniform(0, 6)) * rng.uniform(0.01, 0.05)
        line = ((low + 0.12 * k + waves) * h).astype(np.int32)
        hill = np.concatenate([np.stack([x, line], 1), [(w, h), (0, h)]]).astype(np.int32)
        cv2.fillPoly(picture, [hill], tuple(np.clip(base * (1.35 - 0.25 * k), 0, 255)), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 14))):
        tx, ty, s = rng.uniform(0, w), rng.uniform(low + 0.2, 0.95) * h, rng.uniform(0.03, 0.09) * h
        tree = np.array([(tx - s * 0.5, ty), (tx + s * 0.5, ty), (tx, ty - 2 * s)]).astype(np.int32)
        cv2.fillPoly(picture, [tree], (34, 58, 40), cv2.LINE_AA)
    return finish(picture, rng=rng, blur=0.5, noise=4.0)


def finish(picture: Array, *, rng: np.random.Generator, blur: float = 0.0, noise: float = 0.0) -> Array:
    """What a camera adds: blur (pixels), a little vignette, grain of so many grey values; rgb uint8."""
    h, w = picture.shape[:2]
    if blur > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    y, x = np.linspace(-1, 1, h, dtype=np.float32)[:, None], np.linspace(-1, 1, w, dtype=np.float32)[None]
    picture = picture * (1 - rng.uniform(0, 0.09) * (x * x + y * y))[..., None]
    if noise > 0:
        grain = cv2.GaussianBlur(rng.standard_normal((h, w, 3), dtype=np.float32), (0, 0), 0.55)
        picture = picture + grain * noise * 1.6
    return np.round(picture).clip(0, 255).astype(np.uint8)
