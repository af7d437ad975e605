"""The head as a surface: a grid of points in canonical coordinates, bent to a person and an expression.

Canonical coordinates: x to the picture's right, y down, z towards the camera; the eye centres lie at (±0.4625, 0), so
that the eye distance is 0.925. The 68 points lie on the same surface and are bent with it.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .people import Person

__all__ = ["EYE_DISTANCE", "Expression", "Sheet", "bend", "head", "landmarks", "normals", "ears", "shell", "torso"]

EYE_DISTANCE = 0.925
ROWS, COLUMNS = 250, 270
CROWN, CHIN = -2.02, 1.83

# Right half (the picture's right) of the 68 points: index, x, y, z; the other half is the mirror.
_HALF = (
    (8, 0, 1.83, 0.90), (9, 0.27, 1.78, 0.86), (10, 0.54, 1.63, 0.72), (11, 0.76, 1.42, 0.52), (12, 0.94, 1.16, 0.29),
    (13, 1.06, 0.88, 0.09), (14, 1.12, 0.57, -0.04), (15, 1.16, 0.25, -0.13), (16, 1.18, -0.06, -0.18),
    (22, 0.14, -0.28, 1.35), (23, 0.32, -0.34, 1.34), (24, 0.51, -0.39, 1.26), (25, 0.70, -0.36, 1.13),
    (26, 0.86, -0.27, 0.95), (27, 0, 0.0, 1.28), (28, 0, 0.22, 1.35), (29, 0, 0.43, 1.46), (30, 0, 0.64, 1.55),
    (35, 0.18, 0.755, 1.42), (34, 0.09, 0.79, 1.41), (33, 0, 0.812, 1.38), (42, 0.28, 0.035, 1.12),
    (43, 0.39, -0.075, 1.14), (44, 0.525, -0.085, 1.11), (45, 0.635, -0.01, 1.04), (46, 0.53, 0.075, 1.08),
    (47, 0.40, 0.08, 1.11), (51, 0, 1.01, 1.43), (52, 0.10, 0.99, 1.41), (53, 0.26, 1.03, 1.39), (54, 0.39, 1.10, 1.30),
    (55, 0.27, 1.20, 1.31), (56, 0.11, 1.25, 1.33), (57, 0, 1.25, 1.33), (62, 0, 1.10, 1.42), (63, 0.11, 1.09, 1.41),
    (64, 0.33, 1.10, 1.33), (65, 0.11, 1.12, 1.40), (66, 0, 1.125, 1.41),
)  # fmt: skip
_MIRROR = {
    **{i: 16 - i for i in range(9, 17)}, **dict(zip(range(22, 27), range(21, 16, -1), strict=True)), 35: 31, 34: 32,
    42: 39, 43: 38, 44: 37, 45: 36, 46: 41, 47: 40, 52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 63: 61, 64: 60, 65: 67,
}  # fmt: skip

# Rows of the bare skull and face: y, half-width, z of the widest line, z of the middle in front, z behind.
_PROFILE = np.array([
    (-2.02, 0.00, -0.30, -0.30, -0.30), (-1.97, 0.36, -0.29, 0.16, -0.72), (-1.86, 0.62, -0.28, 0.48, -1.02),
    (-1.70, 0.83, -0.27, 0.72, -1.24), (-1.40, 1.03, -0.26, 0.99, -1.44), (-1.00, 1.155, -0.25, 1.17, -1.55),
    (-0.50, 1.195, -0.22, 1.27, -1.56), (-0.06, 1.185, -0.18, 1.235, -1.48), (0.25, 1.165, -0.13, 1.23, -1.36),
    (0.57, 1.125, -0.04, 1.26, -1.16), (0.88, 1.06, 0.09, 1.31, -0.85), (1.16, 0.945, 0.27, 1.31, -0.45),
    (1.42, 0.775, 0.47, 1.28, 0.02), (1.63, 0.56, 0.64, 1.24, 0.35), (1.78, 0.28, 0.80, 1.10, 0.66),
    (1.83, 0.00, 0.88, 0.88, 0.88),
])  # fmt: skip

# Smooth bumps in depth: name, x (mirrored where not 0), y, width in x, width in y, height.
_BUMPS = (
    ("socket", 0.47, 0.02, 0.25, 0.15, -0.155), ("eyeball", 0.465, 0.0, 0.16, 0.105, 0.115),
    ("brow_ridge", 0.50, -0.31, 0.30, 0.11, 0.075), ("glabella", 0.0, -0.30, 0.16, 0.14, 0.05),
    ("cheekbone", 0.72, 0.42, 0.27, 0.22, 0.075), ("cheek", 0.55, 0.80, 0.26, 0.26, 0.05),
    ("hollow", 0.80, 1.05, 0.20, 0.22, -0.035), ("temple", 1.02, -0.42, 0.24, 0.24, -0.06),
    ("ala", 0.185, 0.69, 0.075, 0.075, 0.115), ("fold", 0.36, 0.86, 0.07, 0.13, -0.03),
    ("upper_lip", 0.13, 1.04, 0.16, 0.055, 0.07), ("lower_lip", 0.08, 1.19, 0.19, 0.06, 0.085),
    ("muzzle", 0.0, 1.06, 0.36, 0.24, 0.06), ("mouth_line", 0.10, 1.105, 0.22, 0.022, -0.06),
    ("corner", 0.41, 1.11, 0.07, 0.07, -0.035), ("philtrum", 0.0, 0.90, 0.035, 0.09, -0.02),
    ("under_lip", 0.0, 1.37, 0.28, 0.06, -0.055), ("chin", 0.0, 1.58, 0.26, 0.16, 0.07),
    ("bag", 0.44, 0.19, 0.17, 0.05, -0.012), ("lid_fold", 0.46, -0.145, 0.2, 0.028, -0.02),
)  # fmt: skip
_RIDGE = np.array([  # the nose along the middle: y, height over the face, half-width
    (-0.40, 0.0, 0.14), (-0.22, 0.015, 0.14), (-0.05, 0.045, 0.125), (0.10, 0.085, 0.125), (0.25, 0.135, 0.13),
    (0.41, 0.20, 0.145), (0.53, 0.255, 0.16), (0.62, 0.285, 0.17), (0.68, 0.275, 0.165), (0.74, 0.19, 0.15),
    (0.79, 0.07, 0.13), (0.84, 0.015, 0.12), (0.92, 0.0, 0.12),
])  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """What the muscles do: each 0 at rest, about 1 at most (brows and smile may be negative)."""

    smile: float = 0.0
    open: float = 0.0
    brows: float = 0.0
    squint: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Sheet:
    """A grid of points (r, c, 3) in space with its canonical coordinates (r, c, 3)."""

    points: np.ndarray
    canonical: np.ndarray


@lru_cache(maxsize=1)
def _profile() -> tuple[np.ndarray, np.ndarray]:
    """The smoothed rows of the skull: y (ROWS,) and half-width, middle line, front, back (4, ROWS)."""
    middle, half = (CROWN + CHIN) / 2, (CHIN - CROWN) / 2
    t = np.linspace(0, np.pi, ROWS)
    known = np.arccos(np.clip((middle - _PROFILE[:, 0]) / half, -1, 1))
    rows = np.stack([np.interp(t, known, _PROFILE[:, i]) for i in range(1, 5)])
    pad = 24
    odd = np.concatenate([2 * rows[:, :1] - rows[:, pad:0:-1], rows, 2 * rows[:, -1:] - rows[:, -2 : -pad - 2 : -1]], 1)
    rows = cv2.GaussianBlur(odd.astype(np.float32), (0, 0), sigmaX=6, sigmaY=1e-3)[:, pad:-pad]
    return middle - half * np.cos(t), rows


def shell(angle: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points (..., 3) of the bare skull at an angle about the upright axis (0 is in front) and a height y."""
    known, rows = _profile()
    width, centre, front, back = (np.interp(y, known, r) for r in rows)
    angle = np.angle(np.exp(1j * np.asarray(angle)))
    x = width * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / 2.25)
    reach = np.where(np.abs(angle) < np.pi / 2, front - centre, back - centre)
    z = centre + reach * np.abs(np.cos(angle)) ** (2 / 2.25)
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32)


@lru_cache(maxsize=1)
def _base() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The average head without features, (ROWS, COLUMNS, 3), and the depth of each feature, (ROWS, COLUMNS)."""
    u = np.linspace(-1, 1, COLUMNS)
    angle = np.pi * (0.55 * u + 0.45 * u**3)
    base = shell(angle[None], _profile()[0][:, None])
    facing = np.clip(np.cos(angle) * 4, 0, 1).astype(np.float32)
    return base, {name: relief * facing for name, relief in _reliefs(base).items()}


def _reliefs(base: np.ndarray) -> dict[str, np.ndarray]:
    x, y = base[..., 0], base[..., 1]
    found = {}
    for name, cx, cy, wx, wy, height in _BUMPS:
        both = np.exp(-(((x - cx) / wx) ** 2))
        if cx:
            both = np.maximum(both, np.exp(-(((x + cx) / wx) ** 2)))
        found[name] = (height * both * np.exp(-(((y - cy) / wy) ** 2))).astype(np.float32)
    tall = np.interp(y, _RIDGE[:, 0], _RIDGE[:, 1])
    wide = np.interp(y, _RIDGE[:, 0], _RIDGE[:, 2])
    nose = (tall * np.exp(-((np.abs(x) / wide) ** 2.0))).astype(np.float32)
    found["nose"] = cv2.GaussianBlur(nose, (0, 0), 1.2)
    found["nostril"] = (
        -0.10 * np.exp(-(((np.abs(x) - 0.095) / 0.045) ** 2)) * np.exp(-(((y - 0.765) / 0.03) ** 2))
    ).astype(np.float32)
    return found


def landmarks(person: Person, expression: Expression) -> np.ndarray:
    """The 68 points (68, 3) in canonical coordinates: the person's brows, eyes and lips, moved by the expression."""
    points = np.zeros((68, 3))
    for i, x, y, z in _HALF:
        points[i] = x, y, z
        if i in _MIRROR:
            points[_MIRROR[i]] = -x, y, z
    s, e = person.shape, expression
    _slide_jaw(points)
    side = np.sign(points[:, 0])
    brow = np.r_[17:27]
    rise = s["brow_arch"] * np.array([0, 0.6, 1, 0.6, 0, 0, 0.6, 1, 0.6, 0])
    points[brow, 1] += s["brow_y"] - 0.07 * e.brows - rise
    eye = np.r_[36:48]
    centre = np.where(np.arange(36, 48) < 42, -0.4625, 0.4625)
    away = points[eye, 1]
    points[eye, 1] = (
        away * (1 + s["eye"] * 1.4) * (1 - 0.38 * e.squint)
        - s["eye_tilt"] * side[eye] * (points[eye, 0] - centre) / 0.18
    )
    points[eye, 0] = centre + (points[eye, 0] - centre) * (1 + s["eye"])
    _move_mouth(points, person, expression)
    return points


def _slide_jaw(points: np.ndarray) -> None:
    """Lower the jaw points along the jaw to where dlib's 68-point file puts them."""
    half = np.array([(x, y, z) for i, x, y, z in _HALF if 8 <= i <= 16])
    lower = half[:, 1] + (0.01, 0.03, 0.035, 0.05, 0.065, 0.065, 0.07, 0.08, 0.07)
    x, z = (np.interp(lower, half[::-1, 1], half[::-1, k]) for k in (0, 2))
    x[:2], z[:2] = half[:2, 0], half[:2, 2]
    points[8:17] = np.stack([x, lower, z], 1)
    points[0:8] = points[16:8:-1] * (-1, 1, 1)


def _move_mouth(points: np.ndarray, person: Person, expression: Expression) -> None:
    s, e = person.shape, expression
    mouth, middle = np.r_[48:68], 1.105
    full = 1 + s["lip"] + (0.12 if person.darkness > 0.6 else 0)
    points[mouth, 1] = middle + (points[mouth, 1] - middle) * full
    points[mouth, 0] *= 1 + s["mouth"] + 0.13 * e.smile
    outward = np.abs(points[mouth, 0]) / 0.4
    points[mouth, 1] -= 0.075 * e.smile * (outward**1.5 - 0.35)
    points[mouth, 2] -= 0.05 * max(e.smile, 0) * outward
    lower = np.array([55, 56, 57, 58, 59, 65, 66, 67])
    share = 1 - np.clip(np.abs(points[lower, 0]) / 0.42, 0, 1) ** 2
    points[lower, 1] += 0.17 * e.open * share
    upper = np.array([49, 50, 51, 52, 53, 61, 62, 63])
    points[upper, 1] -= 0.035 * (e.open + 0.5 * max(e.smile, 0)) * (1 - np.clip(np.abs(points[upper, 0]) / 0.42, 0, 1))


def head(person: Person, expression: Expression) -> Sheet:
    """The person's head with all features, bent to its shape and expression."""
    base, reliefs = _base()
    s = person.shape
    more = {
        "nose": 1 + s["nose_height"], "brow_ridge": 1 + s["brow_ridge"], "cheekbone": 1 + s["cheekbone"],
        "upper_lip": 1 + s["lip"], "lower_lip": 1 + s["lip"], "ala": 1 + s["nose_width"],
        "bag": 1 + 3 * person.age, "fold": 0.7 + 1.2 * person.age + 0.9 * max(expression.smile, 0),
        "hollow": 0.8 + person.age, "mouth_line": 1 - 0.5 * min(expression.open, 1),
    }  # fmt: skip
    points = base.copy()
    for name, relief in reliefs.items():
        points[..., 2] += relief * more.get(name, 1.0)
    canonical = points.copy()
    return Sheet(bend(points, person, expression), canonical)


def bend(points: np.ndarray, person: Person, expression: Expression) -> np.ndarray:
    """Canonical points (…, 3) as this person has them: the one bending that surface and landmarks share."""
    s = person.shape
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    front = np.clip((z + 0.1) / 0.9, 0, 1)
    wide = 1 + s["width"] + s["jaw"] * _bell(y, 1.35, 0.5) + s["cheek"] * _bell(y, 0.4, 0.45)
    wide = wide + s["skull"] * _bell(y, -1.2, 0.8)
    nose = _bell(x, 0, 0.24) * _bell(y, 0.66, 0.2) * front
    eyes = _bell(np.abs(x), 0.46, 0.32) * _bell(y, 0, 0.25) * front
    new_x = x * (wide + s["nose_width"] * nose + s["eye_gap"] * eyes)
    low = np.clip((y - 1.2) / 0.6, 0, 1)
    jaw_drop = 0.13 * expression.open * np.clip((y - 1.12) / 0.6, 0, 1) * front
    new_y = y + s["chin"] * low * 1.2 + s["nose_length"] * nose + jaw_drop
    cheeks = _bell(np.abs(x), 0.62, 0.24) * _bell(y, 0.62, 0.28) * front
    new_y = new_y - 0.05 * expression.smile * cheeks
    new_z = z + 0.06 * expression.smile * cheeks - 0.03 * expression.open * low
    return np.stack([new_x, new_y, new_z], axis=-1).astype(points.dtype)


def _bell(value: np.ndarray, middle: float, width: float) -> np.ndarray:
    return np.exp(-(((value - middle) / width) ** 2))


def normals(points: np.ndarray) -> np.ndarray:
    """Unit normals (r, c, 3) of a grid of points (r, c, 3) whose rows run downwards and columns to the right."""
    down = np.gradient(points, axis=0)
    right = np.gradient(points, axis=1)
    n = np.cross(right, down)
    return (n / np.maximum(np.linalg.norm(n, axis=2, keepdims=True), 1e-9)).astype(np.float32)


def ears(person: Person) -> list[Sheet]:
    """Both ears: flattened bowls with a rim, at the widest line of the head."""
    t, a = np.meshgrid(np.linspace(0, 1, 34), np.linspace(0, 2 * np.pi, 72), indexing="ij")
    r = np.sin(t * np.pi / 2)
    oval = 1 - 0.16 * np.sin(a)  # broader above
    back = 0.19 * r * np.cos(a) * oval
    up = 0.34 * r * np.sin(a)
    bowl = 0.055 * np.exp(-(((r - 0.82) / 0.16) ** 2)) - 0.05 * np.exp(-((r / 0.45) ** 2)) + 0.03
    bowl = bowl * np.where(r > 0.97, 0.3, 1)
    made = []
    for side in (-1.0, 1.0):
        outward = np.array([0.52, 0.0, 0.30])
        x = side * (1.185 + outward[0] * bowl * 1.4 + 0.22 * np.clip(back + 0.02, -0.1, 0.3))
        z = -0.30 - back + outward[2] * bowl
        y = 0.22 + up - 0.04 * back
        grid = np.stack([x, y, z], axis=2).astype(np.float32)
        if side > 0:
            grid = grid[:, ::-1]
        made.append(Sheet(bend(grid, person, Expression()), grid))
    return made


_BODY = np.array([  # y, half-width, z of the widest line, depth to the front, exponent of the outline
    (1.00, 0.66, -0.42, 0.55, 2.0), (1.70, 0.62, -0.40, 0.58, 2.0), (2.10, 0.63, -0.42, 0.60, 2.0),
    (2.35, 0.74, -0.45, 0.64, 2.0), (2.55, 1.05, -0.50, 0.72, 2.0), (2.70, 1.50, -0.52, 0.80, 2.1),
    (2.85, 1.86, -0.53, 0.88, 2.2), (3.05, 2.14, -0.53, 0.98, 2.3), (3.40, 2.36, -0.52, 1.12, 2.4),
    (4.00, 2.46, -0.50, 1.26, 2.5), (5.20, 2.50, -0.48, 1.30, 2.5), (6.60, 2.48, -0.46, 1.25, 2.5),
])  # fmt: skip


def torso(person: Person) -> Sheet:
    """Neck, shoulders and chest in one surface; canonical y below 2.4 or so is clothed."""
    y = np.concatenate([np.linspace(1.0, 3.2, 150), np.linspace(3.2, 6.6, 90)[1:]])
    rows = np.stack([np.interp(y, _BODY[:, 0], _BODY[:, i]) for i in range(1, 5)]).astype(np.float32)
    width, centre, depth, power = cv2.GaussianBlur(rows, (0, 0), sigmaX=5, sigmaY=1e-3)[..., None]
    angle = np.linspace(-1.62, 1.62, 200)[None]
    grow = 1 + person.build * np.clip((y[:, None] - 1.6) / 1.2, 0.4, 1)
    x = width * grow * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power)
    z = centre + depth * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power)
    z = z + 0.05 * _bell(x, 0.0, 0.22) * _bell(y[:, None], 2.0, 0.5)  # the throat
    for side in (-1, 1):  # collar bones
        z = z + 0.05 * _bell(y[:, None] - 2.66 - 0.10 * np.abs(x), 0, 0.07) * _bell(x, side * 0.55, 0.4)
    grid = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], axis=2).astype(np.float32)
    return Sheet(grid, grid)
