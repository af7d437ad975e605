"""From surfaces to pixels: points splatted from far to near, then shaded as skin, hair, cloth and glass."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from . import hair, head, paint, wear
from .head import Expression, Sheet
from .people import Person

__all__ = ["Figure", "Light", "Pose", "View", "figure"]

CAMERA = 11.0  # canonical units from the eyes to the camera
PIVOT = np.array([0.0, 1.35, -0.45], np.float32)  # where the neck carries the head
FACE, SKIN, HAIR, CLOTH, SHINY = range(1, 6)
Colouring = np.ndarray | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Pose:
    """Degrees: yaw to the picture's right, pitch downwards (a nod), roll clockwise; all positive."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def matrix(self, share: float = 1.0) -> np.ndarray:
        """The turn as a 3 × 3 matrix, or a share of it."""
        a, b, c = np.radians([self.yaw, self.pitch, self.roll]) * share
        yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        pitch = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
        roll = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        return (roll @ pitch @ yaw).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """One hard and one soft light: direction to the key light, linear colours, brightness of the whole."""

    key: tuple[float, float, float] = (-0.5, -0.5, 0.7)
    colour: tuple[float, float, float] = (1.0, 0.97, 0.92)
    ambient: tuple[float, float, float] = (0.42, 0.43, 0.46)
    rim: float = 0.15
    exposure: float = 1.0


@dataclass(frozen=True)
class View:
    """Where the head stands in the picture: pixels a canonical unit, place of the eyes' middle, size (w, h)."""

    scale: float
    centre: tuple[float, float]
    size: tuple[int, int]


@dataclass(frozen=True)
class Figure:
    """A person drawn: rgb 0–255 and alpha 0–1 (h, w, 4) float32, the 68 points (68, 2) and the face's box (4,)."""

    rgba: np.ndarray
    points: np.ndarray
    box: np.ndarray


@dataclass(frozen=True)
class _Part:
    points: np.ndarray  # (n, 3), in camera space
    normals: np.ndarray
    canonical: np.ndarray
    colour: np.ndarray  # linear
    kind: int
    gloss: float
    tangents: np.ndarray | None = None


def figure(
    person: Person,
    view: View,
    *,
    pose: Pose,
    expression: Expression,
    light: Light,
    mask: tuple[str, str] | None = None,
    seed: int = 0,
    samples: float = 2.0,
    moved: float = 0.0,
    held: float | None = None,
) -> Figure:
    """Draw a person; mask is (kind, worn) of `wear`; samples a pixel's side; seed that of the mask's wrinkles.

    moved: canonical units that the mask is below its place; held: units that the hands at it are; without a
    mask any number puts a hand over the mouth; None: no hands.
    """
    big = replace(
        view,
        scale=view.scale * samples,
        centre=(view.centre[0] * samples, view.centre[1] * samples),
        size=(round(view.size[0] * samples), round(view.size[1] * samples)),
    )
    marks = head.landmarks(person, expression)
    skull = head.head(person, expression)
    parts, lenses = _parts(person, expression, skull, pose, big, mask, seed, moved)
    if held is not None:
        skin = np.array(person.skin, np.float32) * (1.0, 0.95, 0.94)
        for sheet, sleeve in wear.hands(0.95 + held if mask else None):
            colour = np.array(person.fabric, np.float32) if sleeve else skin
            parts.append(_part(sheet, colour, CLOTH if sleeve else SKIN, 0.25, pose, big))
    index, depth = _splat(parts, big)
    texture = paint.face(
        person, expression, marks, scale=max(70.0, big.scale), masked=bool(mask and mask[1] == "full" and moved < 0.05)
    )
    rgba = _shaded(parts, index, depth, texture, light, big)
    for rim in lenses:
        _glaze(rgba, _project(_turned(rim, pose), big), light)
    small = cv2.resize(rgba, view.size, interpolation=cv2.INTER_AREA) if samples != 1 else rgba
    small[..., :3] /= np.maximum(small[..., 3:], 1e-4)
    points = _truth(person, expression, marks, skull, pose, view)
    return Figure(small, points, _box(person, points, pose, view))


def _turned(points: np.ndarray, pose: Pose, share: float = 1.0) -> np.ndarray:
    return (points - PIVOT) @ pose.matrix(share).T + PIVOT


def _project(points: np.ndarray, view: View) -> np.ndarray:
    near = CAMERA / (CAMERA - points[..., 2:])
    return points[..., :2] * near * view.scale + np.array(view.centre, np.float32)


def _parts(
    person: Person,
    expression: Expression,
    skull: Sheet,
    pose: Pose,
    view: View,
    mask: tuple[str, str] | None,
    seed: int,
    moved: float,
) -> tuple[list[_Part], list[np.ndarray]]:
    skin = np.array(person.skin, np.float32)
    covered = person.hair == "scarf"
    parts = [_part(skull, skin, FACE, 0.35, pose, view)]
    if not covered:
        parts += [_part(e, skin * (1.0, 0.88, 0.86), SKIN, 0.3, pose, view) for e in head.ears(person)]
    body = head.torso(person)
    parts.append(_part(body, lambda c: _clothed(person, c), CLOTH, 0.1, pose, view, share=0.0, turn=0.35))
    for growth in hair.grow(person):
        kind = CLOTH if growth.shine < 0 else HAIR
        parts.append(_part(growth.sheet, growth.colour, kind, max(growth.shine, 0.05), pose, view))
    if mask is not None:
        rng = np.random.default_rng([17, seed])
        for piece in wear.mask(person, expression, kind=mask[0], worn=mask[1], rng=rng):
            sheet = piece.sheet
            if moved:
                shift = np.array([0, moved, 0.25 * min(moved, 1.0)], np.float32)
                sheet = Sheet(sheet.points + shift, sheet.canonical)
            parts.append(_part(sheet, piece.colour, CLOTH, piece.gloss, pose, view))
    frames, lenses = wear.glasses(person)
    parts += [_part(f.sheet, f.colour, SHINY, f.gloss, pose, view) for f in frames]
    return parts, lenses


def _part(
    sheet: Sheet,
    colour: Colouring,
    kind: int,
    gloss: float,
    pose: Pose,
    view: View,
    *,
    share: float = 1.0,
    turn: float = 0.0,
) -> _Part:
    """Turn a sheet, make it as dense as the picture needs, and keep the points that may be seen."""
    if share:
        points = _turned(sheet.points, pose, share)
    else:
        points = _turned(sheet.points, Pose(pose.yaw * turn, 0, 0))
    xy = _project(points, view)
    rows = _steps(xy, 0, 85 if kind == HAIR else 95)
    columns = _steps(xy[..., :1] if kind == HAIR else xy, 1, 90 if kind == HAIR else 95)
    inside = np.flatnonzero((xy[..., 1] < view.size[1]).any(1))
    rows = rows[rows <= inside[-1] + 1] if len(inside) else rows[:2]
    towards = head.normals(points)
    if kind == FACE:
        seen = np.flatnonzero((towards[..., 2] > -0.1).any(0))
        columns = columns[(columns >= seen[0] - 1) & (columns <= seen[-1] + 1)]
    grids = [points, towards, sheet.canonical]
    if isinstance(colour, np.ndarray) and colour.ndim == 3:
        grids.append(colour)
    if kind == HAIR:
        grids.append(np.gradient(points, axis=0))
    maps = np.meshgrid(columns, rows)
    side = cv2.remap(np.ascontiguousarray(towards[..., 2]), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    keep = _worth(points, side, maps, kind)
    u, v = maps[0].ravel()[keep], maps[1].ravel()[keep]
    dense = [_sample(np.ascontiguousarray(g, np.float32), u, v) for g in grids]
    points, towards, canonical = dense[:3]
    flip = np.where(towards[:, 2:] < 0, np.float32(-1), np.float32(1))
    towards = towards * (flip / np.maximum(_length(towards), 1e-6))
    if callable(colour):
        tint = colour(canonical)
    else:
        tint = dense[3] if colour.ndim == 3 else np.broadcast_to(colour, points.shape)
    linear = (np.asarray(tint, np.float32) / 255) ** 2
    if kind in (HAIR, CLOTH):
        linear = linear * np.where((dense[1][:, 2:] < -0.15), np.float32(0.35), np.float32(1.0))
    tangents = dense[-1] if kind == HAIR else None
    return _Part(points, towards, canonical, linear, kind, gloss, tangents)


def _worth(points: np.ndarray, side: np.ndarray, maps: list[np.ndarray], kind: int) -> np.ndarray:
    """Which places of the dense grid may be seen: not the far side of the head, nor of hair on the skull."""
    if kind == FACE:
        return np.flatnonzero(side > -0.03)
    if kind == HAIR:
        low = cv2.remap(np.ascontiguousarray(points[..., 1]), *maps, cv2.INTER_NEAREST)
        return np.flatnonzero((side > -0.15) | (low > 0.2))
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


def _clothed(person: Person, canonical: np.ndarray) -> np.ndarray:
    """Colours (n, 3) of neck and clothes at canonical points (n, 3)."""
    x, y, z = canonical[:, 0], canonical[:, 1], canonical[:, 2]
    ax = np.abs(x)
    front = z > -0.5
    dip = {"tee": 0.34, "stripes": 0.30, "shirt": 0.30, "jacket": 0.9, "hoodie": 0.22, "vneck": 0.85, "polo": 0.45}
    deep = dip[person.clothes]
    pointed = person.clothes in ("jacket", "vneck", "polo", "shirt")
    hole = np.clip(1 - ax / 0.72, 0, 1) if pointed else np.sqrt(np.clip(1 - (ax / 0.80) ** 2, 0, 1))
    collar = 2.36 + np.where(front, deep * hole, 0.0)
    cloth = y > collar
    fabric = np.array(person.fabric, np.float32)
    second = np.array(person.second_fabric, np.float32)
    colour = np.where(cloth[:, None], fabric, np.array(person.skin, np.float32) * (0.98, 0.93, 0.92))
    rim = cloth & (y < collar + 0.085)
    if person.clothes == "stripes":
        colour[cloth & ((y * 3.1) % 1 < 0.45)] = second
    if person.clothes in ("tee", "vneck", "stripes", "hoodie"):
        colour[rim] = fabric * 0.82
    if person.clothes in ("shirt", "polo", "jacket"):
        under = cloth if person.clothes != "jacket" else (y > 2.36 + np.where(front, 0.42 * hole, 0)) & ~cloth
        if person.clothes == "jacket":
            colour[under] = np.minimum(second * 0.35 + 160, 244)
            lapel = cloth & (y < collar + 0.55 - 0.5 * ax) & front
            colour[lapel] = fabric * 0.86 + 6
            colour[lapel & (y > collar + 0.50 - 0.5 * ax)] = fabric * 0.55
        points = cloth & front & (y < 2.36 + 0.62 - np.abs(ax - 0.34) * 0.9) & (ax > 0.03)
        if person.clothes != "jacket":
            colour[points] = fabric * 0.92 + 14
            colour[points & (y > 2.32 + 0.62 - np.abs(ax - 0.34) * 0.9)] = fabric * 0.6
            colour[cloth & front & (ax < 0.014)] = fabric * 0.6
            buttons = cloth & front & (np.hypot(x, (y - 2.9) % 0.52 - 0.1) < 0.035) & (y > 2.85)
            colour[buttons] = np.minimum(fabric * 0.5 + 110, 245)
    if person.clothes == "hoodie":
        for side in (-1, 1):
            cord = front & cloth & (np.abs(x - side * (0.26 + 0.03 * np.sin(y * 5))) < 0.022) & (y > 2.6) & (y < 3.5)
            colour[cord] = 232
    fold = 1 + 0.05 * np.sin(x * 5.1 + 2.3 * np.sin(y * 1.9 + person.seed)) * np.clip(y - 2.9, 0, 1)
    return colour * np.where(cloth, fold, 1)[:, None]


def _splat(parts: list[_Part], view: View) -> tuple[np.ndarray, np.ndarray]:
    """Which point is seen at each pixel (−1: none), and its depth; pinholes are filled from their neighbours."""
    w, h = view.size
    points = np.concatenate([p.points for p in parts])
    near = CAMERA / (CAMERA - points[:, 2])
    column = (points[:, 0] * near * view.scale + view.centre[0]).astype(np.int32)
    row = (points[:, 1] * near * view.scale + view.centre[1]).astype(np.int32)
    inside = np.flatnonzero((column >= 0) & (column < w) & (row >= 0) & (row < h))
    fine = ((points[inside, 2] + 4) * 7000).clip(0, 65535).astype(np.uint16)
    order = inside[np.argsort(fine, kind="stable")]
    index = np.full(h * w, -1, np.int32)
    index[row[order] * w + column[order]] = order
    index = index.reshape(h, w)
    depth = np.where(index >= 0, points[index, 2], -9).astype(np.float32)
    for _ in range(2):
        for axis in (0, 1):
            before, after = np.roll(depth, 1, axis), np.roll(depth, -1, axis)
            hole = np.minimum(before, after) > depth + 0.10
            index = np.where(hole, np.roll(index, 1, axis), index)
            depth = np.where(hole, before, depth)
    return index, depth


def _shaded(
    parts: list[_Part], index: np.ndarray, depth: np.ndarray, texture: np.ndarray, light: Light, view: View
) -> np.ndarray:
    """The lit picture: premultiplied rgb 0–255 and alpha (h, w, 4)."""
    seen = index >= 0
    which = index[seen]
    starts = np.cumsum([0, *(len(p.points) for p in parts)])
    kinds = np.repeat(np.array([p.kind for p in parts], np.uint8), np.diff(starts))[which]
    gloss = np.repeat(np.array([p.gloss for p in parts], np.float32), np.diff(starts))[which]
    n = np.concatenate([p.normals for p in parts])[which]
    albedo = np.concatenate([p.colour for p in parts])[which]
    face = kinds == FACE
    canonical = parts[0].canonical[which[face]]
    scale = texture.shape[1] / (paint.RIGHT - paint.LEFT)
    u = (canonical[:, 0] - paint.LEFT) * scale - 0.5
    v = (canonical[:, 1] - paint.TOP) * scale - 0.5
    painted = _sample(texture, u, v)
    frontal = np.clip((canonical[:, 2:] + 0.35) * 3, 0, 1)
    albedo[face] = (painted[:, :3] / 255) ** 2 * frontal + albedo[face] * (1 - frontal)
    gloss[face] = painted[:, 3]
    key = np.array(light.key, np.float32)
    key /= np.linalg.norm(key)
    shadow, hollow = _shadow(depth, key, view.scale)
    hollow = hollow[seen]
    hollow = 1 - (1 - hollow) * np.clip(n[:, 2] * 1.6 + 0.1, 0, 1)
    lit = _lit(n, albedo, gloss, kinds, shadow[seen], hollow, light, key)
    strands = kinds == HAIR
    if strands.any():
        tangents = np.concatenate([p.tangents if p.tangents is not None else np.zeros_like(p.points) for p in parts])
        lit[strands] = _hair_lit(
            n[strands], tangents[which[strands]], albedo[strands], gloss[strands], shadow[seen][strands],
            hollow[strands], light, key)  # fmt: skip
    lit *= light.exposure
    tone = lit * 1.22 / (1 + 0.22 * lit)
    rgba = np.zeros((*index.shape, 4), np.float32)
    rgba[seen, :3] = np.sqrt(np.clip(tone, 0, 1)) * 255
    rgba[seen, 3] = 1
    return rgba


def _sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Texture (h, w, k) at n places, bilinear; remap wants a picture, so the list is folded into rows."""
    count, width = len(u), 1024
    rows = max(1, -(-count // width))
    folded = np.zeros((2, rows * width), np.float32)
    folded[0, :count], folded[1, :count] = u, v
    maps = folded.reshape(2, rows, width)
    found = cv2.remap(texture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, texture.shape[2])[:count]


def _lit(
    n: np.ndarray,
    albedo: np.ndarray,
    gloss: np.ndarray,
    kinds: np.ndarray,
    shadow: np.ndarray,
    hollow: np.ndarray,
    light: Light,
    key: np.ndarray,
) -> np.ndarray:
    skin = ((kinds == FACE) | (kinds == SKIN))[:, None]
    towards = (n @ key)[:, None]
    wrap = np.where(skin, np.float32([0.42, 0.26, 0.18]), np.float32(0.12))
    diffuse = np.clip((towards + wrap) / (1 + wrap), 0, None)
    shade = shadow[:, None] ** np.where(skin, np.float32([0.7, 1.0, 1.15]), np.float32(1.0))
    up = (0.5 - 0.5 * n[:, 1:2]) * 0.55 + 0.55
    open_ = hollow[:, None] ** np.where(skin, np.float32([0.8, 1.05, 1.15]), np.float32(1.0))
    ambient = np.float32(light.ambient) * up * open_
    colour = albedo * (diffuse * shade * np.float32(light.colour) + ambient + 0.10 * np.clip(n[:, 2:], 0, 1) * open_)
    half = key + np.float32([0, 0, 1])
    half /= np.linalg.norm(half)
    spec = np.clip(n @ half, 0, 1)
    power = np.where(kinds == SHINY, 60, np.where(gloss > 0.5, 34, 16))
    shine = (spec**power * gloss * np.where(kinds == CLOTH, 0.05, 0.20) * shadow)[:, None]
    edge = (1 - np.clip(n[:, 2:], 0, 1)) ** 3
    rim = edge * light.rim * np.float32(light.ambient) * open_ * (0.4 + albedo)
    return colour + shine * np.float32(light.colour) + rim


def _hair_lit(
    n: np.ndarray,
    tangent: np.ndarray,
    albedo: np.ndarray,
    shine: np.ndarray,
    shadow: np.ndarray,
    hollow: np.ndarray,
    light: Light,
    key: np.ndarray,
) -> np.ndarray:
    """Strands after Kajiya and Kay (1989), with a wrapped diffuse part for the volume."""
    t = tangent / np.maximum(_length(tangent), 1e-9)
    along = t @ key
    across = np.sqrt(np.clip(1 - along**2, 0, 1))
    volume = np.clip((n @ key + 0.35) / 1.35, 0, None)
    sight = t[:, 2]
    highlight = np.clip(across * np.sqrt(np.clip(1 - sight**2, 0, 1)) - along * sight, 0, 1)
    lit = np.float32(light.colour) * (volume * (0.35 + 0.75 * across) * shadow)[:, None]
    up = ((0.5 - 0.5 * n[:, 1]) * 0.6 + 0.5) * hollow
    colour = albedo * (lit + np.float32(light.ambient) * up[:, None])
    spark = (highlight**26 * shine * volume * shadow)[:, None]
    return colour + spark * (0.30 * np.sqrt(albedo) + 0.035) * np.float32(light.colour)


def _shadow(depth: np.ndarray, key: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Light that reaches each pixel from the key light, and from all around, 0–1 (h, w), at half resolution."""
    h, w = depth.shape
    small = cv2.resize(depth, (w // 2, h // 2), interpolation=cv2.INTER_NEAREST)
    there = small > -8
    step = scale / 2
    lit = np.ones_like(small)
    across = key[:2]
    for reach in (0.05, 0.10, 0.17, 0.26, 0.40, 0.60, 0.85):
        dx, dy = across * reach * step
        shift = np.float32([[1, 0, -dx], [0, 1, -dy]])
        other = cv2.warpAffine(small, shift, (w // 2, h // 2), flags=cv2.INTER_LINEAR, borderValue=-9)
        above = other - small - key[2] * reach
        lit *= 1 - 0.62 * np.clip((above - 0.03) / 0.10, 0, 1) * (above < 0.75)
    lit = cv2.GaussianBlur(lit, (0, 0), max(0.6, 0.018 * step))
    mass = there.astype(np.float32)
    filled = np.where(there, small, 0)
    hollow = np.ones_like(small)
    for radius, strength in ((0.06, 1.3), (0.16, 0.8), (0.42, 0.42)):
        sigma = max(0.6, radius * step)
        mean = cv2.GaussianBlur(filled, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(mass, (0, 0), sigma), 1e-3)
        hollow *= 1 - np.clip(strength * (mean - small - 0.004) / (radius * 2.2), 0, 0.5)
    back = (w, h)
    return cv2.resize(lit, back), cv2.resize(hollow, back)


def _glaze(rgba: np.ndarray, rim: np.ndarray, light: Light) -> None:
    """Lay a faint reflection on a lens whose rim is given in pixels."""
    h, w = rgba.shape[:2]
    cover = np.zeros((h, w), np.uint8)
    cv2.fillPoly(cover, [np.round(rim * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    x1, y1 = np.clip(rim.min(0).astype(int), 0, (w - 1, h - 1))
    x2, y2 = np.clip(rim.max(0).astype(int) + 1, (x1 + 1, y1 + 1), (w, h))
    yy, xx = np.mgrid[y1:y2, x1:x2].astype(np.float32)
    slope = ((xx - x1) / (x2 - x1) + (yy - y1) / (y2 - y1)) / 2
    streak = 0.05 + 0.16 * np.exp(-(((slope - 0.36) / 0.07) ** 2)) + 0.08 * np.exp(-(((slope - 0.52) / 0.03) ** 2))
    alpha = (streak * cover[y1:y2, x1:x2] / 255 * rgba[y1:y2, x1:x2, 3])[..., None]
    part = rgba[y1:y2, x1:x2, :3]
    part += (np.float32([236, 242, 250]) * np.clip(light.exposure, 0.5, 1) - part) * alpha


def _truth(
    person: Person, expression: Expression, marks: np.ndarray, skull: Sheet, pose: Pose, view: View
) -> np.ndarray:
    """The 68 points (68, 2) in pixels; on a turned face the far jaw is the outline that is seen."""
    xy = _project(_turned(head.bend(marks.astype(np.float32), person, expression), pose), view).astype(float)
    turn = np.clip((abs(pose.yaw) - 3) / 10, 0, 1)
    if not turn:
        return xy
    outline = _project(_turned(skull.points, pose), view)
    c, s = np.cos(np.radians(pose.roll)), np.sin(np.radians(pose.roll))
    upright = outline @ np.array([[c, -s], [s, c]], np.float32)
    far = 1 if pose.yaw > 0 else -1
    half = slice(head.COLUMNS // 2, None) if far > 0 else slice(None, head.COLUMNS // 2)
    best = np.argmax(far * upright[:, half, 0], axis=1) + (head.COLUMNS // 2 if far > 0 else 0)
    edge = outline[np.arange(len(outline)), best]
    heights = skull.canonical[:, 0, 1]
    for k in range(1, 9):
        i = 8 + far * k
        at = np.array([np.interp(marks[i, 1], heights, edge[:, axis]) for axis in (0, 1)])
        share = turn * min(1.0, 0.35 * k)
        xy[i] = xy[i] * (1 - share) + at * share
    return xy


def _box(person: Person, points: np.ndarray, pose: Pose, view: View) -> np.ndarray:
    """The face's box (4,): from the middle of the forehead to the chin, cheek to cheek as it is seen."""
    brow = head.bend(np.float32([[0, -0.95, 1.15], [-0.8, -0.75, 0.75], [0.8, -0.75, 0.75]]), person, Expression())
    both = np.concatenate([points, _project(_turned(brow, pose), view)])
    w, h = view.size
    return np.concatenate([both.min(0), both.max(0)]).clip(0, (w, h, w, h))
