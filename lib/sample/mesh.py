"""Surfaces in front of the camera: turned, made dense, and splatted point by point from far to near."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from . import head
from .head import Sheet

__all__ = ["CLOTH", "FACE", "HAIR", "SHINY", "SKIN", "Camera", "Part", "Pose", "View", "part", "sampled", "splat"]

FAR = 11.0  # canonical units from the eyes to the camera
PIVOT = np.array([0.0, 1.35, -0.45], np.float32)  # where the neck carries the head
FACE, SKIN, HAIR, CLOTH, SHINY = range(1, 6)
Colouring = np.ndarray | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Pose:
    """Degrees: yaw to the picture's right, pitch downwards (a nod), roll clockwise; all positive."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def matrix(self) -> np.ndarray:
        """The turn as a 3 × 3 matrix."""
        a, b, c = np.radians([self.yaw, self.pitch, self.roll])
        yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        pitch = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
        roll = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        return (roll @ pitch @ yaw).astype(np.float32)


@dataclass(frozen=True)
class View:
    """Where the head stands in the picture: pixels a canonical unit, place of the eyes' middle, size (w, h)."""

    scale: float
    centre: tuple[float, float]
    size: tuple[int, int]

    def enlarged(self, times: float) -> "View":
        """The same view in a picture so many times as large."""
        x, y = self.centre
        size = round(self.size[0] * times), round(self.size[1] * times)
        return View(self.scale * times, (x * times, y * times), size)


@dataclass(frozen=True)
class Camera:
    """A view of a head in a pose."""

    view: View
    pose: Pose

    def turned(self, points: np.ndarray) -> np.ndarray:
        """Points (…, 3) of a head at rest, as they are in the pose."""
        return (points - PIVOT) @ self.pose.matrix().T + PIVOT

    def project(self, turned: np.ndarray) -> np.ndarray:
        """Turned points (…, 3) in pixels, (…, 2)."""
        near = FAR / (FAR - turned[..., 2:])
        return turned[..., :2] * near * self.view.scale + np.array(self.view.centre, np.float32)

    def see(self, points: np.ndarray) -> np.ndarray:
        """Points (…, 3) of a head at rest in pixels, (…, 2)."""
        return self.project(self.turned(points))

    def of_body(self) -> "Camera":
        """The camera for the shoulders, which follow the head by a third of its turn."""
        return Camera(self.view, Pose(self.pose.yaw * 0.35))


@dataclass(frozen=True)
class Part:
    """Points of one surface, n each: place, normal and canonical place, linear colour; hair has tangents."""

    points: np.ndarray
    normals: np.ndarray
    canonical: np.ndarray
    colour: np.ndarray
    kind: int
    gloss: float
    tangents: np.ndarray | None = None


def part(sheet: Sheet, colour: Colouring, camera: Camera, *, kind: int, gloss: float) -> Part:
    """Turn a sheet, make it as dense as the picture needs, and keep the points that may be seen.

    colour, sRGB 0–255: one (3,), a grid (r, c, 3), or a function of canonical points (n, 3).
    """
    points = camera.turned(sheet.points)
    towards = head.normals(points)
    maps = _places(camera.project(points), towards, camera.view, kind=kind)
    grids = [points, towards, sheet.canonical]
    if isinstance(colour, np.ndarray) and colour.ndim == 3:
        grids.append(colour)
    if kind == HAIR:
        grids.append(np.gradient(points, axis=0))
    side = _remapped(towards[..., 2], maps)
    keep = _worth(side, maps, points, kind=kind)
    u, v = maps[0].ravel()[keep], maps[1].ravel()[keep]
    dense = [sampled(np.ascontiguousarray(g, np.float32), u, v) for g in grids]
    points, towards, canonical = dense[:3]
    flip = np.where(towards[:, 2:] < 0, np.float32(-1), np.float32(1))
    if callable(colour):
        tint = colour(canonical)
    else:
        tint = dense[3] if colour.ndim == 3 else np.broadcast_to(colour, points.shape)
    linear = (np.asarray(tint, np.float32) / 255) ** 2
    if kind in (HAIR, CLOTH):  # the inside of a curtain of hair or of a mask is dark
        linear = linear * np.where(towards[:, 2:] < -0.15, np.float32(0.35), np.float32(1.0))
    towards = towards * (flip / np.maximum(_length(towards), 1e-6))
    return Part(points, towards, canonical, linear, kind, gloss, dense[-1] if kind == HAIR else None)


def _places(xy: np.ndarray, towards: np.ndarray, view: View, *, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows, in cells of the grid, of points that lie about a pixel apart."""
    rows = _steps(xy, 0, 85 if kind == HAIR else 95)
    columns = _steps(xy[..., :1] if kind == HAIR else xy, 1, 90 if kind == HAIR else 95)
    inside = np.flatnonzero((xy[..., 1] < view.size[1]).any(1))
    rows = rows[rows <= inside[-1] + 1] if len(inside) else rows[:2]
    if kind == FACE:
        seen = np.flatnonzero((towards[..., 2] > -0.1).any(0))
        columns = columns[(columns >= seen[0] - 1) & (columns <= seen[-1] + 1)]
    u, v = np.meshgrid(columns, rows)
    return u, v


def _remapped(grid: np.ndarray, maps: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    flat = np.ascontiguousarray(grid, np.float32)
    return cv2.remap(flat, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _worth(side: np.ndarray, maps: tuple[np.ndarray, np.ndarray], points: np.ndarray, *, kind: int) -> np.ndarray:
    """Which places of the dense grid may be seen: not the far side of the head, nor of hair on the skull."""
    if kind == FACE:
        return np.flatnonzero(side > -0.03)
    if kind == HAIR:
        return np.flatnonzero((side > -0.15) | (_remapped(points[..., 1], maps) > 0.2))
    return np.arange(side.size)


def _length(vectors: np.ndarray) -> np.ndarray:
    """Lengths (n, 1) of vectors (n, 3)."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]


def _steps(xy: np.ndarray, axis: int, share: float) -> np.ndarray:
    """Places along one axis of a grid xy (r, c, 1 or 2), in cells: at most a pixel apart for a share (%) of it."""
    gap = np.diff(xy, axis=axis)
    gap = np.percentile(np.sqrt(np.einsum("ijk,ijk->ij", gap, gap)), share, axis=1 - axis)
    gap = cv2.GaussianBlur(gap.astype(np.float32)[:, None], (0, 0), 1.0)[:, 0] + 0.02
    way = np.concatenate([[0], np.cumsum(gap)])
    count = int(np.clip(way[-1] * 1.03, 8, 4000))
    return np.interp(np.linspace(0, way[-1], count), way, np.arange(len(way))).astype(np.float32)


def splat(parts: list[Part], view: View) -> tuple[np.ndarray, np.ndarray]:
    """Which point is seen at each pixel (−1: none), and its depth; pinholes are filled from their neighbours."""
    w, h = view.size
    points = np.concatenate([p.points for p in parts])
    near = FAR / (FAR - points[:, 2])
    column = (points[:, 0] * near * view.scale + view.centre[0]).astype(np.int32)
    row = (points[:, 1] * near * view.scale + view.centre[1]).astype(np.int32)
    inside = np.flatnonzero((column >= 0) & (column < w) & (row >= 0) & (row < h))
    fine = ((points[inside, 2] + 4) * 7000).clip(0, 65535).astype(np.uint16)
    order = inside[np.argsort(fine, kind="stable")]
    index = np.full(h * w, -1, np.int32)
    index[row[order] * w + column[order]] = order
    seen = index.reshape(h, w)
    depth = np.where(seen >= 0, points[seen, 2], -9).astype(np.float32)
    for _ in range(2):
        for axis in (0, 1):
            before, after = np.roll(depth, 1, axis), np.roll(depth, -1, axis)
            hole = np.minimum(before, after) > depth + 0.10
            seen = np.where(hole, np.roll(seen, 1, axis), seen)
            depth = np.where(hole, before, depth)
    return seen, depth


def sampled(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Texture (h, w, k) at n places, bilinear; remap wants a picture, so the list is folded into rows."""
    count, width = len(u), 1024
    rows = max(1, -(-count // width))
    folded = np.zeros((2, rows * width), np.float32)
    folded[0, :count], folded[1, :count] = u, v
    maps = folded.reshape(2, rows, width)
    found = cv2.remap(texture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, texture.shape[2])[:count]
