"""What people wear on their faces, as surfaces over the same head: masks of several kinds, and glasses.

This is the sample's own way to make a mask: cloth shaded as a surface. `lib.masks`, which lays masks on photos, has no
part in it, so that what is trained on the one can be tested on the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .head import Expression, Sheet, bend, normals, shell
from .paint import curve
from .people import Person

__all__ = ["MASKS", "WORN", "Piece", "clothes", "glasses", "hands", "mask"]

WORN = {"nose": "mask_worn_incorrectly", "chin": "mask_worn_incorrectly", "full": "with_mask"}


@dataclass(frozen=True)
class Piece:
    """A sheet with its colour (r, c, 3) in sRGB 0–255 and gloss 0–1."""

    sheet: Sheet
    colour: np.ndarray
    gloss: float


@dataclass(frozen=True)
class _Kind:
    form: str  # pleated, folded or sewn
    colour: tuple[int, int, int]
    print: str = ""
    second: tuple[int, int, int] = (240, 240, 240)
    loops: tuple[int, int, int] = (238, 238, 236)


MASKS = {
    "surgical-blue": _Kind("pleated", (150, 192, 218)), "surgical-white": _Kind("pleated", (232, 234, 234)),
    "surgical-green": _Kind("pleated", (142, 200, 184)), "surgical-pink": _Kind("pleated", (232, 178, 188)),
    "surgical-black": _Kind("pleated", (42, 43, 46), loops=(40, 40, 42)),
    "ffp2-white": _Kind("folded", (236, 236, 232)), "ffp2-grey": _Kind("folded", (122, 126, 130)),
    "ffp2-black": _Kind("folded", (38, 38, 41), loops=(36, 36, 38)),
    "cloth-navy": _Kind("sewn", (40, 54, 92), loops=(40, 54, 92)),
    "cloth-red": _Kind("sewn", (158, 48, 50), loops=(60, 40, 40)),
    "cloth-dots": _Kind("sewn", (52, 82, 112), "dots", loops=(52, 82, 112)),
    "cloth-check": _Kind("sewn", (206, 198, 186), "check", (120, 60, 62), loops=(200, 196, 190)),
    "cloth-stripes": _Kind("sewn", (216, 212, 202), "stripes", (70, 98, 92), loops=(210, 208, 200)),
    "cloth-black": _Kind("sewn", (34, 33, 36), loops=(30, 30, 32)),
}  # fmt: skip


def mask(person: Person, expression: Expression, *, kind: str, worn: str, rng: np.random.Generator) -> list[Piece]:
    """A mask on the person: its cloth and ear loops. kind is one of MASKS; worn one of WORN."""
    if kind not in MASKS or worn not in WORN:
        raise ValueError(f"mask: kind {kind!r} must be one of {', '.join(MASKS)}, worn {worn!r} of {', '.join(WORN)}")
    look = MASKS[kind]
    u, v = np.meshgrid(np.linspace(-1, 1, 190), np.linspace(0, 1, 170))
    grid = _cloth(u, v, look, worn, rng)
    cloth = Piece(_bent(grid, person, expression), _dyed(u, v, look, rng), 0.25 if look.form != "sewn" else 0.05)
    loops = [
        _tube(_bent(_loop(grid, side, end), person, expression).points[0], 0.018, look.loops)
        for side in (-1, 1)
        for end in (8, -12)
    ]
    return [cloth, *loops]


def _bent(grid: np.ndarray, person: Person, expression: Expression) -> Sheet:
    return Sheet(bend(grid, person, expression), grid)


def _cloth(u: np.ndarray, v: np.ndarray, look: _Kind, worn: str, rng: np.random.Generator) -> np.ndarray:
    """The points (r, c, 3) of the cloth; u −1…1 from ear to ear, v 0…1 downwards."""
    wide = {"pleated": 1.20, "folded": 1.28, "sewn": 1.22}[look.form]
    nose = {"full": 0.30, "nose": 0.86, "chin": 1.38}[worn] + rng.uniform(-0.04, 0.04)
    ends = {"full": 0.56, "nose": 0.84, "chin": 1.26}[worn]
    tilt = rng.normal(0, 0.02)
    bow = np.abs(u) ** (1.5 if look.form == "pleated" else 1.15)
    top = nose + (ends - nose) * bow + tilt * u
    bottom = 1.80 - (0.52 if look.form == "pleated" else 0.66) * np.abs(u) ** 2.4 + tilt * u
    y = top + (np.maximum(bottom, top + 0.2) - top) * v
    points = shell(u * wide * (1 - 0.10 * v**2), np.minimum(y, 1.77)).astype(np.float64)
    points[..., 1] = y
    x = points[..., 0]
    over_nose = 0.33 * np.exp(-((x / 0.40) ** 2)) * np.exp(-(((y - 0.68) / 0.36) ** 2))
    over_chin = 0.14 * np.exp(-((x / 0.62) ** 2)) * np.exp(-(((y - 1.22) / 0.46) ** 2))
    if look.form == "folded":
        over_nose = over_nose * 0.75 + 0.30 * np.clip(1 - np.abs(x) / 0.85, 0, 1) * np.exp(-(((y - 0.98) / 0.5) ** 2))
    if look.form == "sewn":
        over_nose = over_nose * 0.9 + 0.10 * np.clip(1 - np.abs(x) / 0.8, 0, 1) * np.exp(-(((y - 0.9) / 0.5) ** 2))
    cheeks = 0.09 * np.exp(-(((np.abs(x) - 0.68) / 0.34) ** 2)) * np.exp(-(((y - 0.46) / 0.36) ** 2))
    over_chin = over_chin + (cheeks if worn == "full" else 0.5 * cheeks)
    if worn == "nose":
        over_nose = over_nose * np.clip((y - 0.78) / 0.5, 0, 1)
    if worn == "chin":
        over_nose, over_chin = over_nose * 0, over_chin * 0.75
    edge = np.clip((1 - np.abs(u)) * 6, 0, 1)
    points[..., 2] += (over_nose + over_chin) * edge
    wrinkle = cv2.resize(rng.normal(0, 1, (6, 7)).astype(np.float32), u.shape[::-1], interpolation=cv2.INTER_CUBIC)
    lift = 0.045 + 0.008 * wrinkle * edge
    if look.form == "pleated":
        for pleat in (0.34, 0.52, 0.70):
            lift = lift + 0.030 * np.clip(1 - (v - pleat) / 0.16, 0, 1) * (v > pleat) * edge**0.5
    return (points + normals(points) * lift[..., None]).astype(np.float32)


def _dyed(u: np.ndarray, v: np.ndarray, look: _Kind, rng: np.random.Generator) -> np.ndarray:
    colour = np.broadcast_to(np.array(look.colour, np.float32), (*u.shape, 3)).copy()
    second = np.array(look.second, np.float32)
    if look.print == "dots":
        dots = np.hypot((u * 9 + 0.5 * (np.floor(v * 7) % 2)) % 1 - 0.5, (v * 7) % 1 - 0.5) < 0.22
        colour[dots] = second
    if look.print == "check":
        colour = colour + (second - colour) * (0.5 * ((u * 7) % 1 < 0.5) + 0.5 * ((v * 6) % 1 < 0.5))[..., None]
    if look.print == "stripes":
        colour[(v * 9) % 1 < 0.42] = second
    shade = 1 + 0.02 * rng.normal(0, 1, u.shape)
    if look.form == "pleated":
        for pleat in (0.34, 0.52, 0.70):
            shade = shade * (1 - 0.30 * np.exp(-(((v - pleat + 0.012) / 0.012) ** 2)))
        shade = shade * (1 - 0.10 * np.exp(-(((v - 0.075) / 0.008) ** 2)))
    else:
        shade = shade * (1 - 0.26 * np.exp(-((u / 0.008) ** 2)) + 0.05 * np.exp(-((u / 0.04) ** 2)))
    if look.form == "folded":
        shade = shade * (1 - 0.10 * (np.abs(v - 0.06) < 0.008)) * (1 - 0.12 * (np.abs(np.abs(u) - 0.90) < 0.008))
    hem = (np.abs(u) > 0.955) | (v > 0.965) | (v < 0.03)
    shade = np.where(hem, shade * 1.05, shade) * (1 - 0.15 * (np.abs(np.abs(u) - 0.95) < 0.006))
    return np.clip(colour * shade[..., None], 0, 250).astype(np.float32)


def _loop(grid: np.ndarray, side: int, row: int) -> np.ndarray:
    """A line (1, n, 3) from a corner of the cloth to behind the ear."""
    corner = grid[row, 2 if side < 0 else -3]
    high = row > 0
    ear = np.array([side * 1.25, -0.02 if high else 0.46, -0.30])
    middle = (corner + ear) / 2 + np.array([side * 0.10, 0.0, 0.0])
    back = np.array([side * 1.26, 0.18, -0.52])
    return curve(np.array([corner, middle, ear, back]), 60)[None].astype(np.float32)


def _tube(line: np.ndarray, radius: float, colour: tuple[int, int, int], gloss: float = 0.2) -> Piece:
    """A round string along a line (n, 3)."""
    along = np.gradient(line.astype(np.float64), axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    one = np.cross(along, (0.0, 0.31, 0.95))
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9)
    two = np.cross(along, one)
    a = np.linspace(2 * np.pi, 0, 14)[:, None, None]
    grid = (line[None] + radius * (np.cos(a) * one[None] + np.sin(a) * two[None])).astype(np.float32)
    return Piece(Sheet(grid, grid), np.broadcast_to(np.array(colour, np.float32), grid.shape).copy(), gloss)


def hands(at: float | None) -> list[tuple[Sheet, bool]]:
    """Hands as sheets, each with whether it is a sleeve: two that hold a mask by its sides, or one over the mouth.

    at: the height of the mask's middle; None: the one over the mouth.
    """
    lines, made = [], []
    for side in (-1, 1) if at is not None else (1,):
        if at is None:
            palm, arm = (0.42, 1.28, 1.50), [(0.55, 1.45, 1.42), (1.05, 2.3, 1.2), (1.7, 3.6, 0.8)]
            radii = (0.25, 0.34, 0.17)
        else:
            palm = (side * 1.34, at + 0.06, 0.30)
            arm = [(side * 1.36, at + 0.16, 0.26), (side * 1.75, at + 1.2, 0.30), (side * 2.25, at + 2.6, 0.25)]
            radii = (0.15, 0.26, 0.17)
        made.append((_ball(palm, radii), False))
        cuff, wrist = (tuple((1 - w) * p + w * q for p, q in zip(*arm[:2], strict=True)) for w in (0.3, 0.42))
        lines += [([arm[0], wrist], 0.15, False), ([cuff, *arm[1:]], 0.24, True)]
        for k in range(4):
            if at is None:
                y = 0.98 + 0.165 * k
                finger = [(0.40, y + 0.06, 1.60), (0.0, y, 1.78), (-0.50 + 0.05 * abs(k - 1), y + 0.02, 1.56)]
            else:
                y = at - 0.14 + 0.115 * k
                finger = [(side * 1.36, y, 0.36), (side * (1.20 + 0.02 * k), y, 0.56), (side * 0.98, y + 0.02, 0.62)]
            lines.append((finger, 0.088 if at is None else 0.058, False))
        if at is not None:
            thumb = [(side * 1.33, at - 0.08, 0.20), (side * 1.16, at - 0.24, 0.40), (side * 1.03, at - 0.22, 0.50)]
            lines.append((thumb, 0.066, False))
    for line, radius, sleeve in lines:
        made.append((_tube(curve(np.array(line), 24).astype(np.float32), radius, (0, 0, 0)).sheet, sleeve))
        if not sleeve:
            made.append((_ball(line[-1], (radius,) * 3), False))
    return made


def _ball(centre: Sequence[float], radii: Sequence[float]) -> Sheet:
    t, a = np.meshgrid(np.linspace(0.02, np.pi - 0.02, 40), np.linspace(-np.pi, np.pi, 60), indexing="ij")
    ball = np.stack([radii[0] * np.sin(t) * np.sin(a), -radii[1] * np.cos(t), radii[2] * np.sin(t) * np.cos(a)], 2)
    grid = (ball + np.array(centre)).astype(np.float32)
    return Sheet(grid, grid)


_FRAMES = {  # half-width, half-height, exponent of the rim, radius, colour
    "round": (0.315, 0.275, 2.0, 0.011, (92, 68, 44)),
    "square": (0.335, 0.225, 4.0, 0.013, (74, 56, 46)),
    "thin": (0.335, 0.225, 3.0, 0.009, (148, 140, 128)),
}


def glasses(person: Person) -> tuple[list[Piece], list[np.ndarray]]:
    """Frames of the person's glasses as pieces, and the rims (n, 3) of the two lenses; both empty without glasses."""
    if person.glasses == "none":
        return [], []
    wide, high, power, radius, colour = _FRAMES[person.glasses]
    a = np.linspace(0, 2 * np.pi, 200)
    rims, lines = [], []
    for side in (-1, 1):
        x = side * 0.475 + wide * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** (2 / power)
        y = -0.005 + high * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** (2 / power)
        rims.append(np.stack([x, y, 1.47 - 0.16 * np.abs(x) ** 2], 1))
        hinge = (side * (0.475 + wide), -0.045, 1.47 - 0.16 * (0.475 + wide) ** 2)
        bow = np.array([hinge, (side * 1.16, -0.05, 0.85), (side * 1.24, -0.04, 0.2), (side * 1.25, 0.02, -0.36)])
        lines.append(curve(bow, 60))
    bridge = np.array([(-0.475 + wide - 0.01, -0.02, 1.46), (0, -0.075, 1.50), (0.475 - wide + 0.01, -0.02, 1.46)])
    lines.append(curve(bridge, 40))
    bent = [bend(line.astype(np.float32), person, Expression()) for line in (*rims, *lines)]
    return [_tube(line, radius, colour, 0.9) for line in bent], bent[:2]


def clothes(person: Person, canonical: np.ndarray) -> np.ndarray:
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
