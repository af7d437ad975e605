"""Glasses, and helmets with their straps: worn on a face, and no mask."""

import cv2
import numpy as np

from .. import head
from .place import Place, floats, over, srgb
from .relief import Relief

__all__ = ["glasses", "strap"]

# Half-width and half-height of a lens, exponent of its rim (2 is an ellipse), radius of the rim.
_FRAMES: tuple[tuple[float, ...], ...] = (
    (0.35, 0.32, 2.0, 0.02),
    (0.41, 0.27, 3.5, 0.028),
    (0.40, 0.25, 3.0, 0.016),
    (0.45, 0.33, 2.6, 0.03),
)
_FRAMES += ((0.46, 0.37, 2.8, 0.035), (0.41, 0.30, 2.4, 0.042))
_RIMS = ((20, 20, 22), (20, 20, 22), (88, 60, 40), (150, 140, 120), (190, 190, 194), (130, 30, 40), (40, 60, 110))
_HELMETS = ((235, 235, 232), (245, 200, 40), (200, 40, 40), (30, 30, 34), (40, 80, 160), (230, 110, 30), (70, 90, 70))


def glasses(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """Glasses or sunglasses on the nose."""
    wide, high, power, radius = _FRAMES[rng.integers(len(_FRAMES))]
    dark, size = bool(rng.random() < 0.55), float(rng.uniform(0.92, 1.12))
    wide, high, drop = wide * size, high * size, float(rng.uniform(-0.02, 0.12))
    rims, bars = _frame(wide, high, power, drop=drop)
    lines = [place.at(line) for line in (*rims, *bars)]
    about = np.concatenate(lines)
    relief = Relief(place, about[:, :2].min(0) - 0.1, about[:, :2].max(0) + 0.1)
    colour = place.dyed(srgb(*_RIMS[rng.integers(len(_RIMS))]))
    for line, kept in zip(lines, [*rims, *bars], strict=True):
        side = np.sign(kept[:, 0].mean()) if len(kept) < 20 else 0
        seen = place.fit.facing(np.array([[side * 1.0, 0, 0.15]]))[0, 2] > 0 or side == 0
        if seen:
            relief.tube(line, np.full(len(line), radius), colour, gloss=0.15)
    glass = relief.filled([lines[0], lines[1]]) * np.clip(1 - relief.cover, 0, 1)
    picture = relief.rgba(hollows=0)
    tint = (
        place.dyed(srgb(*rng.choice([(16, 16, 18), (40, 26, 18), (20, 34, 30), (60, 40, 90)])))
        if dark
        else floats([1, 1, 1])
    )
    strength = float(rng.uniform(0.75, 0.98)) if dark else 0.05
    t = (relief.y - relief.low[1]) / (relief.high[1] - relief.low[1])
    sky = float(rng.uniform(0, 0.3 if dark else 0.12)) * np.clip(
        1 - 2 * t + 0.3 * np.sin(3 * relief.x + rng.uniform(0, 6)), 0, 1
    )
    shown = 255 * np.sqrt(
        np.minimum((tint * place.seen.ambient * 0.5)[None, None] + sky[..., None] ** 2 * place.seen.ambient, 1)
    )
    share = glass * np.clip(strength + sky, 0, 1)
    relief.ready = cv2.add(picture, over(shown, share))
    return [relief], {"dark": float(dark), "size": size, "drop": drop}


def _frame(wide: float, high: float, power: float, *, drop: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The rims of both lenses (32, 3) and the bars (n, 3): bridge, bows over the temples to the ears."""
    a = np.linspace(0, 2 * np.pi, 32)
    rims, bars = [], []
    for side in (-1, 1):
        x = side * (wide + 0.10) + wide * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** (2 / power)
        y = 0.04 + drop + high * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** (2 / power)
        rims.append(np.column_stack([x, y, 1.42 - 0.16 * x**2]))
        hinge = side * (2 * wide + 0.10)
        outer = max(1.16, abs(hinge)) * side
        bars.append(np.array([(hinge, drop, 1.42 - 0.16 * hinge**2), (outer, -0.02, 0.8), (side * 1.2, -0.03, 0.0)]))
    x = np.linspace(-0.12, 0.12, 7)
    bars.append(np.column_stack([x, drop - 0.03 - 0.05 * np.cos(x * 12), np.full(7, 1.46)]))
    return rims, bars


def strap(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A helmet's strap along the cheeks and under (or over) the chin, mostly with the helmet."""
    low, wide = float(rng.uniform(1.72, 1.98)), float(rng.uniform(0.045, 0.085))
    cup, helmet = bool(rng.random() < 0.3), bool(rng.random() < 0.75)
    lines = _straps(low)
    about = np.concatenate([place.at(line) for line in lines])
    room = place.at([(x, y, 0.2) for x in (-1.7, 1.7) for y in (-2.1, 0)]) if helmet else about
    about = np.concatenate([about, room])[:, :2]
    relief = Relief(place, about.min(0) - 0.35, about.max(0) + 0.35)
    colour = place.dyed(srgb(*rng.choice([(18, 18, 20), (18, 18, 20), (60, 62, 66), (150, 150, 150), (40, 60, 40)])))
    for line in lines:
        normals = line * (1, 0, 0.55)
        seen = place.fit.facing(normals / np.linalg.norm(normals, axis=1, keepdims=True))[:, 2] > 0.0
        if seen.sum() > 1:
            at = place.at(line)[seen]
            relief.tube(at, np.full(len(at), wide), colour, flat=0.35, gloss=0.03)
    if cup:
        relief.ball((0, 1.72, 0.80), (0.34, 0.24, 0.28), colour, gloss=0.05)
    if helmet:
        _helmet(relief, rng)
    return [relief], {"low": low, "wide": wide, "cup": float(cup), "helmet": float(helmet)}


def _straps(low: float) -> list[np.ndarray]:
    """Lines (n, 3) on the skin: down both cheeks, a second pair from behind the ears, and round the chin."""
    lines = []
    for side in (-1, 1):
        y = np.linspace(-0.6, 1.35, 9)
        x = np.interp(y, (-0.6, 0.3, 0.9, 1.35), (1.10, 1.10, 1.03, 0.86))
        z = np.interp(y, (-0.6, 0.3, 0.9, 1.35), (0.25, 0.12, 0.24, 0.44))
        lines.append(np.column_stack([side * x, y, z]))
        t = np.linspace(0, 1, 4)[:, None]
        behind, buckle = np.array([side * 1.19, 0.1, -0.5]), np.array([side * 1.02, 0.95, 0.26])
        lines.append(behind + (buckle - behind) * t)
    x = np.linspace(-0.86, 0.86, 13)
    y = low - (low - 1.35) * (np.abs(x) / 0.86) ** 2
    z = np.minimum(head.surface(np.column_stack([x, np.minimum(y, 1.9)])), 1.2)
    lines.append(np.column_stack([x, y, z + 0.03]))
    return lines


def _helmet(relief: Relief, rng: np.random.Generator) -> None:
    place = relief.place
    colour = place.dyed(srgb(*_HELMETS[rng.integers(len(_HELMETS))]))
    brim, vents = float(rng.uniform(-0.75, -0.5)), bool(rng.random() < 0.4)
    relief.mark = 5
    relief.ball((0, -0.35, 0.2), (1.5, 1.62, 1.66), colour, under=brim, gloss=0.3)
    here = (relief.which == 5).astype(np.float32)
    if vents:  # `across` runs over the egg from side to side
        slots = (np.abs((relief.across * 3.2) % 1 - 0.5) < 0.16) & (np.abs(relief.along + 0.65) < 0.2)
        relief.albedo *= 1 - 0.85 * (here * slots)[..., None]
    relief.mark = 0
    x = np.linspace(-1.2, 1.2, 15)
    line = np.column_stack([x, np.full(15, brim), 0.2 + 1.64 * np.sqrt(np.maximum(1 - (x / 1.48) ** 2, 0))])
    line[:, 2] += rng.choice([0.0, 0.25]) * np.maximum(1 - (x / 1.1) ** 2, 0)  # a peak
    relief.tube(place.at(line), np.full(15, 0.06), colour * 0.6, gloss=0.1)
