"""Scarves and collars that reach up to the chin or the mouth, never over the nose."""

import numpy as np

from .place import Place, cloth, floats, noise, srgb
from .relief import Relief

__all__ = ["collar", "scarf"]


def _neck(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """The neck's middle (3,) below the chin before the camera, and which way is down (2,): less tilted than it."""
    down = place.fit.rotation[:2, 1] * 0.6 + (0, 0.4)
    return place.at([(0, 2.0, -0.05)])[0], down / max(float(np.linalg.norm(down)), 1e-6)


def _edge(place: Place, rng: np.random.Generator) -> float:
    """How far up it comes, as y of the head: from between nose and mouth (0.98) to below the chin."""
    return float(rng.uniform(0.98, 1.3) if rng.random() < 0.4 else rng.uniform(1.3, 1.85))


def scarf(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A scarf wound around neck and chin in thick folds."""
    (centre, down), top = _neck(place), _edge(place, rng)
    side = np.array([down[1], -down[0]])
    turns, thick = int(rng.integers(3, 6)), float(rng.uniform(0.22, 0.34))
    front = place.at([(0, top, 1.45 if top < 1.5 else 1.1)])[0]
    first = float((front[:2] - centre[:2]) @ down) + thick  # how far below the neck's middle its first turn runs
    lowest = first + turns * thick * 1.3
    corners = np.array([centre[:2] + side * x + down * y for x in (-2.1, 2.1) for y in (first - 1.6, lowest + 2.2)])
    relief = Relief(place, corners.min(0), corners.max(0))
    colour, second = place.dyed(cloth(rng)), place.dyed(cloth(rng))
    alpha = np.linspace(-1.9, 1.9, 17)
    for k in range(turns)[::-1]:
        wide, tilt, dip = 1.16 + 0.13 * k + rng.normal(0, 0.03), rng.normal(0, 0.14), rng.uniform(0.15, 0.45)
        deep = 1.15 + 0.1 * k
        y = (
            first
            + 1.25 * thick * k
            + dip * (np.cos(alpha) - 1)
            + tilt * np.sin(alpha)
            + 0.06 * np.sin(alpha * 3 + rng.uniform(0, 6))
        )
        z = front[2] - thick - deep + deep * np.cos(alpha) * 1.05 + 0.12 * k
        line = np.column_stack([centre[:2] + wide * np.sin(alpha)[:, None] * side + y[:, None] * down, z])
        radii = thick * (1 + 0.18 * np.sin(alpha * 2.3 + rng.uniform(0, 6))) * rng.uniform(0.9, 1.15)
        relief.mark = k + 1
        relief.tube(line, radii, colour, flat=0.8)
    if rng.random() < 0.6:
        _end(relief, centre, (side, down), colour=colour, low=lowest, rng=rng)
    _woven(relief, colour, second, thick=thick, rng=rng)
    return [relief], {"top": top, "turns": turns, "thick": thick}


def _end(
    relief: Relief, centre: np.ndarray, axes: tuple, *, colour: np.ndarray, low: float, rng: np.random.Generator
) -> None:
    """An end of the scarf that hangs down on the chest."""
    side, down = axes
    x = rng.uniform(-0.6, 0.6)
    t = np.linspace(0, 1, 4)[:, None]
    xy = centre[:2] + side * (x + 0.15 * t) + down * (low - 0.5 + 2.6 * t)
    relief.mark = 9
    relief.tube(np.column_stack([xy, np.full(4, 0.75 + centre[2])]), np.linspace(0.30, 0.42, 4), colour, flat=0.5)


def _woven(relief: Relief, colour: np.ndarray, second: np.ndarray, *, thick: float, rng: np.random.Generator) -> None:
    """Folds, knit or weave, and a pattern over all of the scarf."""
    along, across, shape = relief.along, relief.across, (relief.h, relief.w)
    size = relief.h / relief.res, relief.w / relief.res
    folds = np.sin(
        across * rng.uniform(4, 9) + 1.5 * noise(shape, (size[0], size[1]), rng) + along * rng.uniform(-2, 2)
    )
    folds = folds * 0.6 + noise(shape, (size[0] * 2.2, size[1] * 1.4), rng) * 0.7
    relief.bump(folds, rng.uniform(0.03, 0.08))
    relief.albedo *= np.clip(1 + 0.14 * folds, 0.5, 1.3)[..., None]
    what = rng.choice(["plain", "stripes", "checks", "flecks"], p=[0.5, 0.18, 0.2, 0.12])
    share = np.zeros(shape, np.float32)
    if what in ("stripes", "checks"):
        wave = rng.uniform(6, 16)
        share = np.maximum(share, (np.sin(along * wave) > rng.uniform(0, 0.7)) * 0.8)
    if what == "checks":
        share = 0.5 * share + 0.5 * (np.sin(across * thick * wave * 1.3) > 0.2)
    if what == "flecks":
        share = np.clip(noise(shape, (size[0] * 9, size[1] * 9), rng) - 0.5, 0, 1)
    relief.albedo += (second - relief.albedo) * floats(share)[..., None] * 0.85
    if rng.random() < 0.55:  # knit
        pitch = rng.uniform(55, 90)
        stitch = np.abs(np.sin(along * pitch * 0.5 + np.abs(np.sin(across * thick * pitch * 0.5)) * 1.5))
        relief.albedo *= (0.72 + 0.36 * stitch)[..., None]
    else:
        relief.albedo *= 1 + 0.05 * noise(shape, (size[0] * 30, size[1] * 30), rng)[..., None]


def collar(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A roll-neck, a neck warmer or a jacket's high collar."""
    (centre, down), top = _neck(place), _edge(place, rng)
    side = np.array([down[1], -down[0]])
    front = place.at([(0, top, 1.45 if top < 1.5 else 1.1)])[0]
    first, low = float((front[:2] - centre[:2]) @ down), float(rng.uniform(1.0, 1.5))
    corners = np.array([centre[:2] + side * x + down * y for x in (-2.3, 2.3) for y in (first - 1.0, low + 1.3)])
    relief = Relief(place, corners.min(0), corners.max(0))
    x = (relief.x - centre[0]) * side[0] + (relief.y - centre[1]) * side[1]
    y = (relief.x - centre[0]) * down[0] + (relief.y - centre[1]) * down[1]
    jacket = bool(rng.random() < 0.4)
    colour = place.dyed(cloth(rng))
    _ring(relief, floats(x), floats(y), colour=colour, first=first, low=low, jacket=jacket, rng=rng)
    return [relief], {"top": top, "jacket": float(jacket)}


def _ring(
    relief: Relief,
    x: np.ndarray,
    y: np.ndarray,
    *,
    colour: np.ndarray,
    first: float,
    low: float,
    jacket: bool,
    rng: np.random.Generator,
) -> None:
    """A tube of cloth standing around the neck, wider where it meets the shoulders; x, y: from the neck's middle."""
    wide = 1.14 + 0.06 * rng.random() + 0.10 * np.clip(y - first, 0, 9) ** 1.2
    wide += 2.2 * np.clip(y - low + 0.25, 0, 2) ** 1.5  # shoulders
    q = np.clip(x / wide, -1.2, 1.2)
    round_ = np.sqrt(np.maximum(1 - q * q, 0))
    wave = noise(x.shape, (2, 5), rng)
    edge = first - rng.uniform(0.1, 0.35) * (1 - round_) + 0.035 * wave
    hem = low + (0.9 if jacket else 0.45) * round_ + 0.1 * noise(x.shape, (2, 7), rng)
    inside = np.minimum(np.minimum(y - edge, hem - y), (1 - np.abs(q)) * wide)
    roll = 0.0 if jacket else float(rng.choice([0.0, rng.uniform(0.35, 0.6)]))  # the part that is turned down
    thick = 0.10 * np.exp(-(((y - edge) / 0.07) ** 2))
    if roll:
        thick += 0.10 / (1 + np.exp(np.clip((y - edge - roll) * 40, -40, 40)))
    normal = np.dstack([q, np.full_like(q, 0.05), np.maximum(round_, 0.05)]).astype(np.float32)
    cover = np.clip(inside * relief.res + 0.5, 0, 1)
    every = slice(0, relief.h), slice(0, relief.w)
    relief.set(every, cover, floats(round_ + thick), normal, colour=colour)
    relief.bump(floats(thick), 1.3)
    _creased(relief, 0.6 if roll else 1.0, rng)
    if jacket:
        _zip(relief, x, y, rng=rng)
    elif rng.random() < 0.75:  # knit in ribs
        ribs = np.sin(np.arcsin(np.clip(q, -1, 1)) * rng.uniform(38, 75))
        relief.albedo *= ((0.86 + 0.14 * ribs) * (0.95 + 0.06 * np.sin(y * 110)))[..., None]
    if roll:
        relief.albedo *= (1 - 0.4 * np.exp(-(((y - edge - roll - 0.03) / 0.03) ** 2)))[..., None]


def _creased(relief: Relief, strength: float, rng: np.random.Generator) -> None:
    """Folds that run across, and a few that run down."""
    shape, high, wide = (relief.h, relief.w), relief.h / relief.res, relief.w / relief.res
    folds = noise(shape, (high * 3.2, wide * 0.9), rng) + 0.5 * noise(shape, (high * 1.5, wide * 2.5), rng)
    relief.bump(folds, strength * rng.uniform(0.02, 0.07))
    relief.albedo *= np.clip(1 + 0.08 * folds, 0.6, 1.3)[..., None]


def _zip(relief: Relief, x: np.ndarray, y: np.ndarray, *, rng: np.random.Generator) -> None:
    """A zip in the middle, seams beside it."""
    at = rng.normal(0, 0.06)
    teeth = (np.abs(x - at) < 0.035) * (0.5 + 0.5 * (np.sin(y * 120) > 0))
    relief.albedo += (srgb(*rng.choice([(30, 30, 32), (170, 170, 172)])) - relief.albedo) * floats(teeth)[..., None]
    seam = np.exp(-(((np.abs(x - at) - 0.13) / 0.015) ** 2))
    relief.albedo *= (1 - 0.3 * floats(seam))[..., None]
