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
    "bands" around the head, "none". margin: how far the sheet reaches beyond its edges, as a share of their distance
    from the middle: room for an outline that the fabric itself draws.
    """

    top: tuple[tuple[float, float], ...]
    bottom: tuple[tuple[float, float], ...]
    dome: float = 0.05
    ridge: float = 0.0
    slack: float = 0.04
    straps: str = "loops"
    width: float = 0.045
    margin: float = 0.0


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
    "child": Cut(
        ((0, 0.36), (0.16, 0.42), (0.34, 0.55), (0.52, 0.62), (0.70, 0.66)),
        ((0, 1.80), (0.24, 1.75), (0.43, 1.60), (0.57, 1.40), (0.67, 1.20)),
        dome=0.04,
    ),
    "gaiter": Cut(
        ((0, 0.24), (0.20, 0.33), (0.45, 0.47), (0.80, 0.47), (1.14, 0.36)),
        ((0, 2.34), (0.33, 2.27), (0.60, 2.08), (0.82, 1.76), (0.98, 1.34)),
        dome=0.02,
        slack=0.03,
        straps="none",
    ),
    "bandana": Cut(
        ((0, 0.26), (0.22, 0.34), (0.48, 0.44), (0.82, 0.38), (1.16, 0.22)),
        ((0, 2.50), (0.24, 2.22), (0.50, 1.84), (0.80, 1.36), (1.10, 0.72)),
        dome=0.06,
        ridge=0.05,
        straps="none",
    ),
    "scarf": Cut(
        ((0, 0.42), (0.26, 0.47), (0.58, 0.57), (0.96, 0.60), (1.26, 0.62)),
        ((0, 2.56), (0.40, 2.54), (0.78, 2.46), (1.12, 2.26), (1.34, 1.92)),
        dome=0.08,
        slack=0.10,
        straps="none",
    ),
}

# Upper and lower edges of what does not sit as it should; None keeps that edge of the cut.
_CHIN = ((0, 1.36), (0.28, 1.34), (0.52, 1.26), (0.76, 1.06), (1.00, 0.78))
_BELOW = ((0, 1.66), (0.29, 1.61), (0.55, 1.44), (0.80, 1.15), (1.02, 0.80))
_NECK = ((0, 2.25), (0.33, 2.18), (0.62, 1.98), (0.86, 1.62), (1.05, 1.13))
_CROOKED = ((0, 1.42), (0.26, 1.44), (0.50, 1.38), (0.70, 1.24), (0.86, 1.06))
_PUSHED = ((0, -0.02), (0.22, 0.02), (0.44, 0.12), (0.70, 0.14), (0.94, 0.10))
_LIP = ((0, 0.88), (0.26, 0.90), (0.50, 0.86), (0.72, 0.74), (0.92, 0.52))

WEARS = {
    "with_mask": "with_mask",
    "nose_out": "mask_worn_incorrectly",
    "mouth_out": "mask_worn_incorrectly",
    "under_chin": "mask_worn_incorrectly",
    "chin_out": "mask_worn_incorrectly",
    "pushed_up": "mask_worn_incorrectly",
    "hanging": "mask_worn_incorrectly",
    "loose": "mask_worn_incorrectly",
    "upside_down": "mask_worn_incorrectly",
}


@dataclass(frozen=True)
class Sheet:
    """A mask before it meets a photo: points and normals (ROWS, COLUMNS, 3), and straps as lines (k, 3).

    bunched: how much the fabric is pushed together, 1 where it is spread.
    """

    points: np.ndarray
    normals: np.ndarray
    straps: tuple[np.ndarray, ...]
    width: float
    parameters: dict[str, float]
    bunched: float = 1.0


def build(cut: Cut, wear: str, *, rng: np.random.Generator) -> Sheet:
    """Lay a cut on the neutral head as it is worn, a little differently each time."""
    if wear not in WEARS:
        raise ValueError(f"wear: unknown {wear!r}; known are {', '.join(WEARS)}")
    if wear == "hanging":
        return _hanging(cut, rng)
    top, bottom, slip = _edges(cut, wear, rng)
    top[-1] += rng.normal(0, 0.02, 2)
    bottom[-1] += rng.normal(0, 0.02, 2)
    tilt = float(rng.normal(0, 0.025))
    bunched = _BUNCHED.get(wear, 1.0)
    loose = rng.uniform(0.06, 0.16) if wear == "loose" else 0.0
    points = _grid(cut, (_smooth(top), _smooth(bottom)), flat=bunched > 1.5, loose=float(loose))
    points[..., 1] += tilt * points[..., 0]
    return Sheet(points, _normals(points), _straps(cut, points), cut.width, {"slip": slip, "tilt": tilt}, bunched)


_BUNCHED = {"mouth_out": 1.8, "under_chin": 2.2, "pushed_up": 1.8, "nose_out": 1.2, "loose": 1.3}
_SLIPS = {  # how far the sheet or its upper edge moves down, and which edges it then has (None: the cut's own)
    "with_mask": (-0.07, 0.25, None, None),  # down to the nose tip, mostly high
    "upside_down": (-0.05, 0.06, None, None),
    "nose_out": (0.52, 0.84, None, None),  # the upper edge ends between the nose tip and the lip
    "loose": (0.16, 0.34, None, None),
    "mouth_out": (-0.04, 0.08, _CHIN, _NECK),
    "under_chin": (-0.06, 0.12, _BELOW, _NECK),
    "chin_out": (-0.05, 0.12, None, _CROOKED),
    "pushed_up": (-0.12, 0.08, _PUSHED, _LIP),
}


def _edges(cut: Cut, wear: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Upper and lower edge (5, 2) as the sheet is worn, and how far it slipped."""
    low, high, upper, lower = _SLIPS[wear]
    slip = float(low + (high - low) * rng.random() ** (1.5 if wear == "with_mask" else 1))
    top, bottom = np.array(upper or cut.top), np.array(lower or cut.bottom)
    across = np.linspace(0, 1, 5)
    if wear == "with_mask":
        top[:, 1] += slip * (1 - 0.6 * across)
    elif wear in ("nose_out", "loose"):  # the nose no longer lifts the edge
        middle, end = top[0, 1] + slip, top[-1, 1] + slip * rng.uniform(0.1, 0.6)
        top[:, 1] = middle + (end - middle) * across ** rng.uniform(1.3, 2.4)
        sag = 0.2 * slip if wear == "nose_out" else rng.uniform(0.12, 0.34)
        bottom[:, 1] += sag * (1 - across)
        wider = rng.uniform(0.98, 1.08) if wear == "nose_out" else 1.12
        top[:, 0], bottom[:, 0] = top[:, 0] * min(wider, 1.06), bottom[:, 0] * wider
    elif wear == "upside_down":  # no wire holds the edge at the nose, and the chin's pouch is above
        top[:, 1] += slip + 0.10 * (1 - across)
        bottom[:, 1] += slip - 0.06 * (1 - across)
    else:
        top[:, 1] += 0 if wear == "chin_out" else slip
        bottom[:, 1] += slip if wear != "mouth_out" else slip - 0.1
        if wear == "under_chin":
            bottom[:, 1] -= rng.uniform(0, 0.25)  # folded up small
    return top, bottom, slip


def _smooth(half: np.ndarray) -> np.ndarray:
    """A mirrored edge (COLUMNS, 2) through half its control points (Catmull–Rom)."""
    whole = np.concatenate([half[:0:-1] * (-1, 1), half])
    whole = np.concatenate([2 * whole[:1] - whole[1:2], whole, 2 * whole[-1:] - whole[-2:-1]])
    at = np.linspace(0, 8, COLUMNS)
    i = np.minimum(at.astype(int), 7)
    t = (at - i)[:, None]
    a, b, c, d = (whole[i + k] for k in range(4))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _grid(cut: Cut, edges: tuple[np.ndarray, np.ndarray], *, flat: bool, loose: float) -> np.ndarray:
    u, v = np.linspace(-1, 1, COLUMNS)[None] * (1 + cut.margin), np.linspace(0, 1, ROWS)[:, None]
    v = v + cut.margin * (2 * v - 1)
    if cut.margin:
        edges = _beyond(edges[0], u[0]), _beyond(edges[1], u[0])
    top, bottom = edges
    xy = top[None] * (1 - v[..., None]) + bottom[None] * v[..., None]
    u, v = np.clip(u, -1, 1), np.clip(v, 0, 1)
    arch = np.sin(np.pi * v) ** 0.75
    xy[..., 0] += 0.09 * u * arch * (1 - u**2) ** 0.5 * (0 if flat else 1)  # the middle rows reach further out
    if cut.straps == "bands":  # rounded sides
        xy[..., 0] += 0.05 * np.sign(u) * np.abs(u) ** 6 * arch
    z = head.surface(xy.reshape(-1, 2)).reshape(xy.shape[:2])
    lift = (
        cut.slack
        + loose * (0.4 + 0.6 * v)
        + (0.35 if flat else 1.0) * (cut.dome * arch * (1 - u**2) + cut.ridge * (1 - np.abs(u)) ** 1.2 * arch)
    )
    return np.concatenate([xy, (z + lift)[..., None]], axis=2)


def _beyond(edge: np.ndarray, u: np.ndarray) -> np.ndarray:
    """An edge (COLUMNS, 2) over −1…1 at other places u, straight on beyond its ends."""
    at = np.linspace(-1, 1, COLUMNS)
    inside = np.stack([np.interp(u, at, edge[:, k]) for k in (0, 1)], axis=1)
    over = np.maximum(np.abs(u) - 1, 0)[:, None] / (at[1] - at[0])
    return inside + over * np.where(u[:, None] > 0, edge[-1] - edge[-2], edge[0] - edge[1])


def _normals(points: np.ndarray) -> np.ndarray:
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = np.cross(across, down)
    return normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)


def _straps(cut: Cut, points: np.ndarray) -> tuple[np.ndarray, ...]:
    """Lines from both sides of the sheet to behind the ears, or around the head."""
    if cut.straps == "none":
        return ()
    lines = []
    inner = round((COLUMNS - 1) / 2 * cut.margin / (1 + cut.margin))  # the column where the edges end
    for side, column in ((-1, inner), (1, COLUMNS - 1 - inner)):
        upper, lower = points[1 + inner, column], points[-2 - inner, column]
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
    x = 1.0 + swing * u + wide * (v - 0.5) * (0.72 + 0.28 * np.sin(np.pi * u) ** 0.5)
    y = 0.75 + 1.55 * u + 0.06 * np.sin(3 * np.pi * v) + 0 * v
    z = 0.1 + 0.3 * u + 0.1 * np.cos(np.pi * (v - 0.5))
    points = np.stack([side * x, y, z], axis=2)
    points = points if side > 0 else points[::-1]
    points = np.ascontiguousarray(points)
    normals = _normals(points)
    normals *= np.sign(normals[..., 2].mean())
    ear = np.array([side * 1.19, 0.0, -0.2])
    ends = () if cut.straps == "none" else enumerate((2, -3))
    straps = tuple(_line(points[row, 0], ear + (0, 0.45 * k, 0)) for k, row in ends)
    return Sheet(points, normals, straps, cut.width, {"swing": float(swing), "wide": float(wide), "side": side})
