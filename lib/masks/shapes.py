"""Cuts of masks as sheets in three dimensions on the neutral head, and the ways of wearing them.

A sheet is a grid: u from −1 (the picture's left) to 1 across the face, v from 0 (upper edge) to 1 (lower edge).
"""

from dataclasses import dataclass

import numpy as np

from . import head

__all__ = ["CUTS", "WEARS", "Cut", "Sheet", "build"]

COLUMNS, ROWS = 25, 17


@dataclass(frozen=True)
class Cut:
    """Half the outline as (x, y) at u = 0, ¼, ½, ¾, 1 of the upper and lower edge, and how far it stands off.

    dome lifts the middle, ridge the line u = 0, slack everything (units of the head). straps: "loops" to the ears,
    "bands" around the head.
    """

    top: tuple[tuple[float, float], ...]
    bottom: tuple[tuple[float, float], ...]
    dome: float = 0.05
    ridge: float = 0.0
    slack: float = 0.04
    straps: str = "loops"
    width: float = 0.045


CUTS = {
    "surgical": Cut(
        ((0, 0.22), (0.19, 0.31), (0.42, 0.48), (0.67, 0.53), (0.93, 0.52)),
        ((0, 1.93), (0.29, 1.87), (0.53, 1.72), (0.72, 1.51), (0.87, 1.26)),
        dome=0.05,
    ),
    "kn95": Cut(
        ((0, 0.17), (0.20, 0.28), (0.43, 0.45), (0.73, 0.52), (1.03, 0.58)),
        ((0, 1.96), (0.30, 1.85), (0.56, 1.62), (0.81, 1.30), (1.02, 0.95)),
        dome=0.03,
        ridge=0.2,
    ),
    "cup": Cut(
        ((0, 0.18), (0.22, 0.26), (0.44, 0.43), (0.64, 0.66), (0.78, 0.92)),
        ((0, 1.88), (0.30, 1.80), (0.52, 1.62), (0.69, 1.38), (0.78, 1.12)),
        dome=0.24,
        straps="bands",
    ),
    "fold": Cut(
        ((0, 0.17), (0.22, 0.29), (0.46, 0.47), (0.70, 0.63), (0.92, 0.84)),
        ((0, 1.93), (0.30, 1.85), (0.55, 1.66), (0.77, 1.38), (0.92, 1.08)),
        dome=0.15,
        straps="bands",
    ),
    "cloth": Cut(
        ((0, 0.22), (0.20, 0.32), (0.43, 0.48), (0.73, 0.52), (1.00, 0.55)),
        ((0, 1.94), (0.30, 1.86), (0.56, 1.68), (0.80, 1.40), (0.98, 1.06)),
        dome=0.03,
        ridge=0.04,
    ),
    "sports": Cut(
        ((0, 0.18), (0.20, 0.29), (0.44, 0.46), (0.76, 0.44), (1.08, 0.34)),
        ((0, 1.98), (0.31, 1.90), (0.60, 1.70), (0.87, 1.36), (1.09, 0.86)),
        dome=0.02,
        ridge=0.06,
        slack=0.03,
        width=0.09,
    ),
}

# Upper and lower edges of what does not sit as it should; None keeps that edge of the cut.
_CHIN = ((0, 1.36), (0.28, 1.34), (0.52, 1.26), (0.76, 1.06), (1.00, 0.78))
_BELOW = ((0, 1.66), (0.29, 1.61), (0.55, 1.44), (0.80, 1.15), (1.02, 0.80))
_NECK = ((0, 2.25), (0.33, 2.18), (0.62, 1.98), (0.86, 1.62), (1.05, 1.13))
_LIFTED = ((0, 1.42), (0.26, 1.44), (0.50, 1.38), (0.70, 1.24), (0.86, 1.06))

WEARS = {
    "with_mask": "with_mask",
    "nose_out": "mask_worn_incorrectly",
    "mouth_out": "mask_worn_incorrectly",
    "under_chin": "mask_worn_incorrectly",
    "chin_out": "mask_worn_incorrectly",
    "hanging": "mask_worn_incorrectly",
}


@dataclass(frozen=True)
class Sheet:
    """A mask before it meets a photo: points and normals (ROWS, COLUMNS, 3), and straps as lines (k, 3)."""

    points: np.ndarray
    normals: np.ndarray
    straps: tuple[np.ndarray, ...]
    width: float
    parameters: dict[str, float]


def build(cut: Cut, wear: str, *, rng: np.random.Generator) -> Sheet:
    """Lay a cut on the neutral head as it is worn, a little differently each time."""
    if wear not in WEARS:
        raise ValueError(f"wear: unknown {wear!r}; known are {', '.join(WEARS)}")
    if wear == "hanging":
        return _hanging(cut, rng)
    slip = {
        "nose_out": rng.uniform(0.55, 0.78),  # where the upper edge's middle ends: from the nose tip to the lip
        "mouth_out": rng.uniform(-0.04, 0.08),
        "under_chin": rng.uniform(-0.06, 0.12),
        "chin_out": rng.uniform(-0.05, 0.12),
    }.get(wear, rng.uniform(-0.07, 0.06))
    top, bottom = np.array(cut.top), np.array(cut.bottom)
    across = np.linspace(0, 1, 5)
    if wear == "with_mask":
        top[:, 1] += slip * (1 - 0.6 * across)
    elif wear == "nose_out":
        middle, end = top[0, 1] + slip, top[-1, 1] + 0.2 * slip
        top[:, 1] = middle + (end - middle) * across**1.5  # the nose no longer lifts the edge
        bottom[:, 1] += 0.2 * slip * (1 - across)
    elif wear == "chin_out":
        bottom = np.array(_LIFTED) + (0, slip)
        bottom[-1, 0] = min(bottom[-1, 0] + 0.1, bottom[-1, 0], top[-1, 0])
    else:
        top = np.array(_CHIN if wear == "mouth_out" else _BELOW) + (0, slip)
        bottom = np.array(_NECK) + (0, slip)
        if wear == "mouth_out":
            bottom[:, 1] -= 0.1
    top[-1] += rng.normal(0, 0.02, 2)
    bottom[-1] += rng.normal(0, 0.02, 2)
    tilt = float(rng.normal(0, 0.025))
    points = _grid(cut, _smooth(top), _smooth(bottom), flat=wear in ("mouth_out", "under_chin"))
    points[..., 1] += tilt * points[..., 0]
    return Sheet(points, _normals(points), _straps(cut, points, wear), cut.width, {"slip": slip, "tilt": tilt})


def _smooth(half: np.ndarray) -> np.ndarray:
    """A mirrored edge (COLUMNS, 2) through half its control points (Catmull–Rom)."""
    whole = np.concatenate([half[:0:-1] * (-1, 1), half])
    whole = np.concatenate([2 * whole[:1] - whole[1:2], whole, 2 * whole[-1:] - whole[-2:-1]])
    at = np.linspace(0, 8, COLUMNS)
    i = np.minimum(at.astype(int), 7)
    t = (at - i)[:, None]
    a, b, c, d = (whole[i + k] for k in range(4))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _grid(cut: Cut, top: np.ndarray, bottom: np.ndarray, *, flat: bool) -> np.ndarray:
    u, v = np.linspace(-1, 1, COLUMNS)[None], np.linspace(0, 1, ROWS)[:, None]
    xy = top[None] * (1 - v[..., None]) + bottom[None] * v[..., None]
    arch = np.sin(np.pi * v) ** 0.75
    xy[..., 0] += 0.09 * u * arch * (1 - u**2) ** 0.5 * (0 if flat else 1)  # the middle rows reach further out
    if cut.straps == "bands":  # rounded sides
        xy[..., 0] += 0.05 * np.sign(u) * np.abs(u) ** 6 * arch
    z = head.surface(xy.reshape(-1, 2)).reshape(xy.shape[:2])
    lift = cut.slack + (0.35 if flat else 1.0) * (
        cut.dome * arch * (1 - u**2) + cut.ridge * (1 - np.abs(u)) ** 1.2 * arch
    )
    return np.concatenate([xy, (z + lift)[..., None]], axis=2)


def _normals(points: np.ndarray) -> np.ndarray:
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = np.cross(across, down)
    return normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)


def _straps(cut: Cut, points: np.ndarray, wear: str) -> tuple[np.ndarray, ...]:
    """Lines from both sides of the sheet to behind the ears, or around the head."""
    lines = []
    for side, column in ((-1, 0), (1, -1)):
        upper, lower = points[1, column], points[-2, column]
        if cut.straps == "bands":
            upper, lower = points[ROWS // 2 - 3, column], points[ROWS // 2 + 3, column]
            ends = (1.18, -0.35, -0.35), (1.14, 0.72, -0.45)
        else:
            ends = (1.19, -0.10, -0.28), (1.165, 0.48, -0.27)
        for start, end in zip((upper, lower), ends, strict=True):
            lines.append(_line(start, np.array(end) * (side, 1, 1)))
    return tuple(lines)


def _line(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """A taut line over the cheek: straight as seen from the side, bulging outwards with the head."""
    t = np.linspace(0, 1, 9)[:, None]
    line = start * (1 - t) + end * t
    line[:, 0] += np.sign(end[0]) * 0.06 * np.sin(np.pi * t[:, 0])
    line[:, 2] += 0.05 * np.sin(np.pi * t[:, 0])
    return line


def _hanging(cut: Cut, rng: np.random.Generator) -> Sheet:
    """From one ear down beside the jaw, edge-on: u runs downwards."""
    side = int(rng.choice([-1, 1]))
    swing, wide = rng.uniform(-0.12, 0.12), rng.uniform(0.40, 0.80)
    u, v = np.linspace(0, 1, COLUMNS)[None], np.linspace(0, 1, ROWS)[:, None]
    x = 1.0 + swing * u + wide * (v - 0.5) * (0.55 + 0.45 * np.sin(np.pi * u))
    y = 0.75 + 1.55 * u + 0.06 * np.sin(3 * np.pi * v) + 0 * v
    z = 0.1 + 0.3 * u + 0.1 * np.cos(np.pi * (v - 0.5))
    points = np.stack([side * x, y, z], axis=2)
    points = points if side > 0 else points[::-1]
    points = np.ascontiguousarray(points)
    normals = _normals(points)
    normals *= np.sign(normals[..., 2].mean())
    ear = np.array([side * 1.19, 0.0, -0.2])
    straps = tuple(_line(points[row, 0], ear + (0, 0.45 * k, 0)) for k, row in enumerate((2, -3)))
    return Sheet(points, normals, straps, cut.width, {"swing": float(swing), "wide": float(wide), "side": side})
