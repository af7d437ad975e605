"""Hair as one sheet of strands over the skull, and what else covers it: a bun, a headscarf."""

from dataclasses import dataclass

import cv2
import numpy as np

from .head import Expression, Sheet, bend, shell
from .people import Person

__all__ = ["Growth", "grow", "hairline"]


@dataclass(frozen=True)
class Growth:
    """A sheet (r, c) whose rows run along the strands, its colour (r, c, 3) in sRGB 0–255, and its shine 0–1."""

    sheet: Sheet
    colour: np.ndarray
    shine: float


@dataclass(frozen=True)
class _Style:
    thick: float  # over the skull, canonical
    ends: tuple[float, ...]  # y of the tips at the angles of _ANGLES
    ragged: float
    curl: float = 0.0
    twist: float = 0.0
    wave: float = 0.0
    part: float | None = None  # angle of the parting, radians; None: hair falls from the crown all round
    shine: float = 0.5


_ANGLES = np.radians((0, 28, 46, 58, 70, 82, 96, 115, 180))
_CROPPED = (-1.10, -1.13, -1.05, -0.80, -0.34, 0.18, 0.30, 0.62, 0.85)
_STYLES = {
    "buzz": _Style(0.030, (-1.08, -1.11, -1.02, -0.80, -0.36, 0.10, 0.22, 0.55, 0.80), 0.03, shine=0.15),
    "short": _Style(0.18, _CROPPED, 0.05, part=0.30),
    "side": _Style(0.25, (-1.06, -1.05, -0.96, -0.74, -0.32, 0.16, 0.30, 0.60, 0.85), 0.05, part=0.65),
    "receding": _Style(0.06, (-1.42, -1.48, -1.36, -1.0, -0.40, 0.18, 0.30, 0.62, 0.85), 0.08),
    "curly": _Style(0.26, (-1.06, -1.04, -0.96, -0.74, -0.28, 0.16, 0.32, 0.72, 1.0), 0.10, curl=1.0, shine=0.3),
    "afro": _Style(0.55, (-1.04, -1.00, -0.92, -0.70, -0.20, 0.30, 0.55, 0.85, 1.0), 0.08, curl=0.8, shine=0.1),
    "bob": _Style(0.18, (-1.06, -1.0, -0.6, 0.80, 1.30, 1.42, 1.46, 1.46, 1.4), 0.05, part=0.35, shine=0.7),
    "fringe": _Style(0.15, (-0.50, -0.49, -0.44, 0.50, 1.25, 1.42, 1.46, 1.46, 1.4), 0.05, twist=0.15, shine=0.7),
    "long": _Style(0.15, (-1.06, -0.98, -0.84, 1.90, 2.45, 2.60, 2.75, 2.80, 2.8), 0.16, part=0.12, shine=0.7),
    "wavy": _Style(0.20, (-1.10, -0.96, -0.80, 1.70, 2.10, 2.30, 2.45, 2.50, 2.5), 0.16, wave=0.075, part=0.3),
    "bun": _Style(0.075, (-1.08, -1.08, -1.0, -0.78, -0.28, 0.10, 0.34, 0.66, 0.9), 0.03, part=0.1, shine=0.8),
}


_GROWN: dict[int, tuple[Person, list[Growth]]] = {}  # the last few heads of hair, for clips


def hairline(person: Person) -> np.ndarray | None:
    """The edge of the hair about the face, canonical points (n, 2) from the left side to the right; None: no edge."""
    if person.hair in ("bald", "scarf", "fringe"):
        return None
    style = _STYLES[person.hair]
    angle = np.radians(np.array((0, 14, 28, 37, 46, 52, 58, 64, 70, 78, 86)))
    y = np.interp(angle, _ANGLES[[0, 1, 2, 3, 4, 5]], _CROPPED[:6] if max(style.ends) > 1.2 else style.ends[:6])
    x = shell(angle, y)[:, 0]
    half = np.stack([x, y], 1)
    return np.concatenate([(half * (-1, 1))[:0:-1], half])


def grow(person: Person) -> list[Growth]:
    """What grows on, or covers, the person's head; nothing on a bald one."""
    if person.seed not in _GROWN:
        while len(_GROWN) >= 8:
            _GROWN.pop(next(iter(_GROWN)))
        _GROWN[person.seed] = person, _grown(person)
    known, growths = _GROWN[person.seed]
    return growths if known == person else _grown(person)


def _grown(person: Person) -> list[Growth]:
    if person.hair == "bald":
        return []
    if person.hair == "scarf":
        return _scarf(person)
    style = _STYLES[person.hair]
    rng = np.random.default_rng([13, person.hair_seed])
    if style.part is None:
        made = [_strands(person, style, rng)]
    else:
        parting = style.part * float(np.sign(rng.normal())) * rng.uniform(0.6, 1.2)
        made = [_parted(person, style, rng, side, parting) for side in (-1.0, 1.0)]
    if person.hair == "bun":
        made.append(_bun(person, rng))
    return made


def _noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise of unit spread, (rows, columns), that closes around the columns."""
    small = rng.normal(0, 1, cells).astype(np.float32)
    small = np.concatenate([small, small[:, :1]], 1)
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _strands(person: Person, style: _Style, rng: np.random.Generator) -> Growth:
    long = max(style.ends) > 1.2
    r, c = (300 if long else 170), 620
    side = float(np.sign(rng.normal()))
    end_angle = np.linspace(-np.pi, np.pi, c)[None]
    ends = np.interp(np.abs(end_angle), _ANGLES, style.ends)
    clump, fine = _noise(rng, (1, c), (1, 64)), rng.normal(0, 1, (1, c)).astype(np.float32)
    ends = ends + style.ragged * (0.45 * clump + 0.55 * np.clip(fine, -1.5, 1.5))
    s = np.linspace(0.0, 1.0, r)[:, None]
    angle = end_angle + side * style.twist * (1 - s) ** 2 * np.cos(end_angle / 2) ** 2
    crown = -2.015
    fall = 1 - np.cos(np.minimum(s * (1.9 if long else 1.55), np.pi / 2 * (2 if long else 1)))
    along = s if long else fall / fall.max()
    y = crown + (ends - crown) * (along**1.35 if long else along)
    points = shell(angle, np.minimum(y, 0.62)).astype(np.float64)
    points[..., 1] = y
    body = np.clip((1 - s) * 4.0, 0, 1) ** 0.6 if not long else np.clip((1 - s) * 9, 0.25, 1)
    points = points + _lift(points, style, body, clump, rng)
    _hang(points, style, s, end_angle, clump)
    colour = _coloured(person, style, (r, c), rng)
    grid = points.astype(np.float32)
    return Growth(Sheet(bend(grid, person, Expression()), grid), colour, style.shine)


def _parted(person: Person, style: _Style, rng: np.random.Generator, side: float, parting: float) -> Growth:
    """One side of parted hair: strands start along the parting, sweep to the side and fall."""
    long = max(style.ends) > 1.2
    r, c = (260 if long else 150), 330
    p = np.linspace(0, 1, c)[None]
    s = np.linspace(0, 1, r)[:, None]
    end_angle = side * np.radians(57 + 123 * p**0.9)
    ends = np.interp(np.abs(end_angle), _ANGLES, style.ends)
    clump, fine = _noise(rng, (1, c), (1, 34)), rng.normal(0, 1, (1, c)).astype(np.float32)
    ends = ends + style.ragged * (0.45 * clump + 0.55 * np.clip(fine, -1.5, 1.5))
    front = style.ends[0] - 0.02
    start = front + (-2.015 - front) * np.minimum(p / 0.7, 1) ** 0.8
    swept = np.sin(np.minimum(s * (2.4 if long else 1.25), 1) * np.pi / 2)
    angle = parting + (end_angle - parting) * swept ** (0.9 - 0.3 * p)
    y = start + (ends - start) * s ** (1.5 if long else 1.9 - 0.6 * p)
    points = shell(angle, np.minimum(y, 0.62)).astype(np.float64)
    points[..., 1] = y
    body = np.clip(s * 6 + 0.25, 0, 1) * (np.clip((1 - s) * 3.5, 0, 1) ** 0.6 if not long else 1)
    body = body * np.clip(p * 5 + 0.12, 0, 1)
    points = points + _lift(points, style, body, clump, rng)
    _hang(points, style, s, end_angle, clump)
    grid = points.astype(np.float32)
    colour = _coloured(person, style, (r, c), rng)
    if side < 0:
        grid, colour = grid[:, ::-1], colour[:, ::-1]
    return Growth(Sheet(bend(grid, person, Expression()), grid), np.ascontiguousarray(colour), style.shine)


def _lift(
    points: np.ndarray, style: _Style, body: np.ndarray, clump: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How far each point stands off the skull, as a vector (r, c, 3)."""
    r, c = points.shape[:2]
    outward = points - np.array([0, -0.35, -0.25])
    outward = outward / np.linalg.norm(outward, axis=2, keepdims=True)
    top = np.clip((-0.4 - points[..., 1]) / 1.0, 0, 1)
    thick = style.thick * body * (0.55 + 0.45 * top) * (1 + 0.16 * clump)
    if style.curl:
        cells = (int(22 * r / 170), 96)
        blobs = np.abs(_noise(rng, (r, c), cells)) + 0.5 * np.abs(_noise(rng, (r, c), (cells[0] * 2, 190)))
        thick = thick + style.curl * 0.075 * (blobs - 0.9)
    else:
        thick = thick + 0.014 * _noise(rng, (r, c), (5, 150)) * body * min(1.0, style.thick / 0.1)
    return outward * np.maximum(thick, 0.012)[..., None]


def _hang(points: np.ndarray, style: _Style, s: np.ndarray, angle: np.ndarray, clump: np.ndarray) -> None:
    """Let what is longer than the head fall free, a little outwards, over the shoulders."""
    below = np.clip(points[..., 1] - 0.3, 0, None)
    if below.max() <= 0.6:
        return
    sideways = np.sign(points[..., 0])
    points[..., 0] += sideways * (0.05 * np.minimum(below, 1.4) + 0.03 * clump * below)
    points[..., 2] -= 0.05 * below
    over = np.clip((points[..., 1] - 1.9) / 0.8, 0, 1)
    front = np.abs(angle) < 1.75
    points[..., 2] += np.where(front, 0.42, 0.0) * over
    if style.wave:
        phase = points[..., 1] * 5.5 + 2.2 * clump
        points[..., 0] += style.wave * np.sin(phase) * np.clip(below * 1.5 + 0.2, 0, 1)
        points[..., 2] += 0.7 * style.wave * np.cos(phase) * np.clip(below * 1.5, 0, 1)


def _coloured(person: Person, style: _Style, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    r, c = shape
    streak = 0.5 * _noise(rng, shape, (4, 150)) + 0.8 * cv2.resize(rng.normal(0, 1, (7, c)).astype(np.float32), (c, r))
    if style.curl:
        streak = 0.6 * _noise(rng, shape, (40, 170)) + 0.7 * rng.normal(0, 1, shape).astype(np.float32)
    roots = 1 - 0.22 * np.exp(-np.linspace(0, 1, r)[:, None] / 0.12)
    factor = np.clip(1 + 0.17 * streak, 0.45, 1.7) * roots
    colour = np.array(person.hair_colour, np.float32) * factor[..., None]
    if 0.42 < person.age:  # single white strands
        white = (rng.random((1, c)) < 0.22 * (person.age - 0.3)) & (rng.random((r, c)) < 0.95)
        colour = np.where(white[..., None], 0.4 * colour + 0.6 * np.float32(185), colour)
    return np.clip(colour, 4, 250).astype(np.float32)


def _ball(centre: tuple[float, float, float], radii: tuple[float, float, float], shape: tuple[int, int]) -> np.ndarray:
    t = np.linspace(0.02, np.pi - 0.02, shape[0])[:, None]
    a = np.linspace(-np.pi, np.pi, shape[1])[None]
    x = radii[0] * np.sin(t) * np.sin(a)
    y = -radii[1] * np.cos(t) + 0 * a
    z = radii[2] * np.sin(t) * np.cos(a)
    return (np.stack([x, y, z], axis=2) + centre).astype(np.float32)


def _bun(person: Person, rng: np.random.Generator) -> Growth:
    grid = _ball((0.0, -2.02, -0.62), (0.46, 0.40, 0.44), (120, 240))
    grid += grid * 0.012 * _noise(rng, grid.shape[:2], (3, 40))[..., None]
    return Growth(
        Sheet(bend(grid, person, Expression()), grid), _coloured(person, _STYLES["bun"], grid.shape[:2], rng), 0.7
    )


def _scarf(person: Person) -> list[Growth]:
    """A headscarf: a cap that leaves an oval for the face, and a wrap about the neck."""
    rng = np.random.default_rng([13, person.hair_seed])
    r, c = 200, 420
    angle = np.linspace(-np.pi, np.pi, c)[None]
    ends = np.interp(np.abs(angle), _ANGLES, (-1.02, -0.98, -0.80, -0.30, 1.15, 1.9, 2.3, 2.6, 2.7))
    s = np.linspace(0, 1, r)[:, None]
    y = -2.015 + (ends + 2.015) * s**1.25
    points = shell(angle, np.minimum(y, 0.75)).astype(np.float64)
    points[..., 1] = y
    outward = points - np.array([0, -0.2, -0.25])
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    folds = 0.018 * np.sin(_noise(rng, (r, c), (4, 9)) * 3 + s * 9)
    points += outward * (0.085 + folds)[..., None]
    low = np.clip(points[..., 1] - 0.9, 0, 1)
    points[..., 0] *= 1 - 0.20 * low
    fabric = np.array(person.second_fabric, np.float32)
    weave = lambda shape: fabric * (1 + 0.03 * rng.normal(0, 1, (*shape, 1))).astype(np.float32)  # noqa: E731
    cap = points.astype(np.float32)
    t, a = np.linspace(0, 1, 110)[:, None], np.linspace(-np.pi, np.pi, 360)[None]
    ripple = 0.05 * np.sin(t * 16 + 1.5 * np.sin(a) + 0.7 * np.cos(2 * a))
    x = (0.90 + 0.32 * t**1.5 + ripple) * np.sin(a)
    z = -0.28 + (0.92 - 0.05 * (1 - t) + 0.12 * t + ripple) * np.cos(a)
    height = 1.50 + 1.25 * t + 0.22 * (np.cos(a) > 0) * np.cos(a) ** 2 + 0.05 * np.sin(a)
    wrap = np.stack(np.broadcast_arrays(x, height, z), axis=2).astype(np.float32)
    return [
        Growth(Sheet(bend(cap, person, Expression()), cap), weave(cap.shape[:2]), -1.0),
        Growth(Sheet(wrap, wrap), weave(wrap.shape[:2]), -1.0),
    ]
