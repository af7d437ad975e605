"""A user's own transparent PNG as a style: warped onto the sheet by six key points, its alpha gives the outline."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from .fabrics import Fabric, Room
from .shapes import CUTS
from .styles import Style

__all__ = ["KEYS", "template"]

KEYS = "abcdef"  # along the upper edge from the picture's left to its right, then along the lower edge
_MARGIN = 0.16  # how far a picture may reach beyond its key points
_SIZE = 480, 360  # texels kept of a picture


@dataclass(frozen=True)
class _Picture:
    """What a template knows: its picture straightened over the sheet, colour and cover; draws itself on a Room."""

    rgb: np.ndarray
    cover: np.ndarray
    strap: tuple[int, int, int]

    def __call__(self, room: Room) -> Fabric:
        wh = room.w, room.h
        rgb, cover = (cv2.resize(a, wh, interpolation=cv2.INTER_AREA) for a in (self.rgb, self.cover))
        rgb = cv2.divide(rgb, cv2.merge([np.maximum(cover, 1e-3)] * 3))  # colours were weighted by the alpha
        bright = float(np.clip(room.rng.normal(1, 0.04), 0.85, 1.1))
        return Fabric(np.clip(rgb * bright, 0, 1), room.wrinkles(0.5), self.strap, cover=cover)


def template(path: str | Path, points: Sequence[Sequence[float]] | np.ndarray | None = None, *, cut: str = "") -> Style:
    """Make a style of a transparent PNG that shows a mask, spread out and seen from the front or the side.

    points (6, 2) in pixels: a, b, c along the upper edge from left to right, d, e, f along the lower edge; b and e lie
    on the line of the nose. None: as `anchors.csv` beside the picture says (columns file, point, x, y), or else found
    from the outline, without the ear loops. cut: how it stands off the face, of `shapes.CUTS`. Raises ValueError for a
    picture or points that cannot be worn, FileNotFoundError where there is none.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"style: there is no picture {path}")
    changed = path.stat().st_mtime_ns
    given = _beside(path) if points is None else np.asarray(points, float)
    key = None if given is None else tuple(map(tuple, _checked(path, given).tolist()))
    return _made(path, key, cut or "surgical", changed)


@lru_cache(maxsize=64)
def _made(path: Path, points: tuple[tuple[float, float], ...] | None, cut: str, changed: int) -> Style:
    from dataclasses import replace

    if cut not in CUTS:
        raise ValueError(f"cut: unknown {cut!r}; known are {', '.join(CUTS)}")
    rgba = _read(path)
    body = _body(rgba[..., 3])
    if np.count_nonzero(body) < 100:
        raise ValueError(f"{path.name}: nothing to see, its alpha is (nearly) 0 everywhere; save the mask as opaque")
    at = _corners(body)
    if points is not None:
        _fits(path, np.array(points), rgba.shape[:2])
        at = _off_loops(np.array(points), body, at)
    return Style(replace(CUTS[cut], margin=_MARGIN), _straightened(rgba, body, at), name=path.stem)


def _read(path: Path) -> np.ndarray:
    """The picture (h, w, 4), uint8, at most 1,200 pixels wide or tall."""
    bgra = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if bgra is None:
        raise ValueError(f"{path.name}: not an image that can be read; give a PNG")
    if bgra.ndim != 3 or bgra.shape[2] != 4:
        raise ValueError(f"{path.name}: has no alpha channel; save it as a PNG with a transparent background")
    if bgra.dtype != np.uint8:
        bgra = (bgra / 257).astype(np.uint8)
    if bgra[..., 3].min() > 250:
        raise ValueError(f"{path.name}: is opaque everywhere; cut the mask out and make the background transparent")
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA)


def _body(alpha: np.ndarray) -> np.ndarray:
    """The mask without its loops (h, w) 0 or 1: what survives an opening, largest piece, holes of loops left open."""
    solid = (alpha > 127).astype(np.uint8)
    ys, xs = np.nonzero(solid)
    if not len(xs):
        return solid
    side = max(3, round(0.09 * min(np.ptp(xs) + 1, np.ptp(ys) + 1))) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = cv2.copyMakeBorder(solid, side, side, side, side, cv2.BORDER_CONSTANT, value=0)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc)[side:-side, side:-side]
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return solid
    return (pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)


def _corners(body: np.ndarray) -> np.ndarray:
    """Six key points (6, 2) from an outline: the corners, and the edges' places in the middle between them."""
    ys, xs = np.nonzero(body)
    nx, ny = (xs - xs.min()) / max(np.ptp(xs), 1), (ys - ys.min()) / max(np.ptp(ys), 1)
    found = {}
    for name, score in {
        "a": 2 * nx + ny,
        "c": -2 * nx + ny,
        "d": 2 * nx - ny,
        "f": -2 * nx - ny,
    }.items():
        best = int(score.argmin())
        found[name] = float(xs[best]), float(ys[best])
    middle = round((xs.min() + xs.max()) / 2)
    column = ys[xs == middle] if (xs == middle).any() else ys
    found |= {"b": (middle, float(column.min())), "e": (middle, float(column.max()))}
    return np.array([found[k] for k in KEYS], float) + 0.5


def _off_loops(points: np.ndarray, body: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Key points (6, 2), those that lie at the end of a loop moved to the mask's own corner."""
    away = cv2.distanceTransform(1 - body, cv2.DIST_L2, 3)
    x, y = np.clip(points, 0, np.array(body.shape[::-1]) - 1).astype(int).T
    loose = away[y, x] > 0.06 * body.shape[1]
    loose[[1, 4]] = False
    return np.where(loose[:, None], corners, points)


def _straightened(rgba: np.ndarray, body: np.ndarray, points: np.ndarray) -> _Picture:
    """Pull the picture over the whole sheet, margin included: colours weighted by cover, and cover."""
    w, h = _SIZE
    u = np.linspace(-1 - _MARGIN, 1 + _MARGIN, w)
    v = np.linspace(-_MARGIN, 1 + _MARGIN, h)[:, None, None]
    where = ((1 - v) * _edge(points[:3], u) + v * _edge(points[3:], u)).astype(np.float32) - 0.5
    near = cv2.dilate(body, np.ones((3, 3), np.uint8), iterations=2)  # the loops go; ours lead to the ears
    alpha = rgba[..., 3].astype(np.float32) / 255 * near
    layers = np.dstack([rgba[..., :3].astype(np.float32) / 255 * alpha[..., None], alpha])
    shrink = max(1.0, 0.5 * max(rgba.shape[:2]) / w)
    if shrink > 1:
        layers = np.asarray(cv2.GaussianBlur(layers, (0, 0), 0.4 * shrink))
    flat = cv2.remap(layers, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return _Picture(np.ascontiguousarray(flat[..., :3]), np.ascontiguousarray(flat[..., 3]), _strap(rgba, body))


def _edge(ends: np.ndarray, u: np.ndarray) -> np.ndarray:
    """A smooth curve (n, 2) through three points at u = −1, 0, 1 that never turns back from left to right."""
    before, after = ends[1] - ends[0], ends[2] - ends[1]
    slope = (before + after) / 2
    slope[0] = 2 * before[0] * after[0] / (before[0] + after[0])
    bend = np.where(u[:, None] < 0, slope - before, after - slope)
    return ends[1] + slope * u[:, None] + bend * u[:, None] ** 2


def _strap(rgba: np.ndarray, body: np.ndarray) -> tuple[int, int, int]:
    """The loops' colour where the picture shows loops, otherwise white, or black on a dark mask."""
    solid = rgba[..., 3] > 200
    grown = cv2.dilate(body, np.ones((9, 9), np.uint8))
    loops = solid & (grown == 0)
    if loops.sum() > 0.004 * solid.sum():
        r, g, b = np.median(rgba[loops][:, :3], axis=0).astype(int).tolist()
        return r, g, b
    return (240, 240, 240) if rgba[body > 0][:, :3].mean() > 70 else (36, 37, 40)


def _beside(path: Path) -> np.ndarray | None:
    """The key points (6, 2) that `anchors.csv` in the picture's folder has for it, or None."""
    table = path.parent / "anchors.csv"
    if not table.is_file():
        return None
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("file") == path.name]
    if not rows:
        return None
    try:
        found = {row["point"]: (float(row["x"]), float(row["y"])) for row in rows}
        return np.array([found[k] for k in KEYS])
    except (KeyError, ValueError) as trouble:
        raise ValueError(f"{table}: {path.name} needs the points {', '.join(KEYS)} with numbers x and y") from trouble


def _checked(path: Path, points: np.ndarray) -> np.ndarray:
    if points.shape != (6, 2) or not np.isfinite(points).all():
        raise ValueError(f"points: {path.name} needs 6 points (x, y): a, b, c, d, e, f; got shape {points.shape}")
    return points


def _fits(path: Path, points: np.ndarray, hw: tuple[int, int]) -> None:
    """Say which key points cannot be: outside the picture, crossed over, or all on a line."""
    h, w = hw
    slack = 0.12 * max(h, w)
    if (points < -slack).any() or (points > np.array([w, h]) + slack).any():
        raise ValueError(f"points: {path.name} is {w} × {h} pixels, but a key point lies outside it")
    upper, lower = points[:3], points[3:]
    if not (
        (np.diff(upper[:, 0]) > 0).all() and (np.diff(lower[:, 0]) > 0).all() and (upper[:, 1] < lower[:, 1]).all()
    ):
        raise ValueError(
            f"points: {path.name} needs a, b, c from left to right and d, e, f below them; got {points.tolist()}"
        )
