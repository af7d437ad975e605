"""The skin of a face as a flat picture over canonical x and y: eyes, brows, lips, beard, wrinkles, freckles."""

from collections.abc import Sequence

import cv2
import numpy as np

from .hair import hairline
from .head import Expression
from .people import Person

__all__ = ["BOTTOM", "Canvas", "LEFT", "curve", "face"]

LEFT, TOP, RIGHT, BOTTOM = -1.4, -2.15, 1.4, 2.15  # what the picture covers, canonical
Colour = Sequence[float] | np.ndarray


class Canvas:
    """A picture over canonical coordinates, `scale` pixels a unit: rgb 0–255 and gloss 0–1, float32 (h, w, 4)."""

    def __init__(self, colour: Colour, *, scale: float) -> None:
        self.scale = scale
        h, w = round((BOTTOM - TOP) * scale), round((RIGHT - LEFT) * scale)
        self.pixels = np.empty((h, w, 4), np.float32)
        self.pixels[...] = (*colour, 0.35)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Canonical points (n, 2+) in pixels, (n, 2)."""
        return (np.asarray(points, float)[:, :2] - (LEFT, TOP)) * self.scale

    def fill(self, points: np.ndarray, colour: Colour, **how: float) -> None:
        """Fill a polygon of canonical points; see `lay` for how."""
        self._draw(points, colour, None, how)

    def line(self, points: np.ndarray, colour: Colour, width: float, **how: float) -> None:
        """Draw a line through canonical points; width canonical."""
        self._draw(points, colour, width, how)

    def spot(self, centre: Colour, radii: tuple[float, float], colour: Colour, **how: float) -> None:
        """Fill an ellipse, its radii canonical."""
        a = np.linspace(0, 2 * np.pi, 40)
        self._draw(np.stack([centre[0] + radii[0] * np.cos(a), centre[1] + radii[1] * np.sin(a)], 1), colour, None, how)

    def strokes(self, ends: np.ndarray, colour: Colour, width: float, *, alpha: float) -> None:
        """Draw many short straight lines (n, 2, 2) of one colour at once."""
        h, w = self.pixels.shape[:2]
        fixed = np.round(self.at(ends.reshape(-1, 2)) * 16).astype(np.int32).reshape(-1, 2, 2)
        x1, y1 = np.clip(fixed.min((0, 1)) // 16 - 3, 0, (w - 1, h - 1))
        x2, y2 = np.clip(fixed.max((0, 1)) // 16 + 4, (x1 + 1, y1 + 1), (w, h))
        cover = np.zeros((y2 - y1, x2 - x1), np.uint8)
        thick = width * self.scale
        shade = int(255 * min(1.0, thick))
        cv2.polylines(
            cover,
            list((fixed - (x1 * 16, y1 * 16)).astype(np.int32)),
            False,
            shade,
            max(1, round(thick)),
            cv2.LINE_AA,
            4,
        )
        self.lay((x1, y1, x2, y2), cover.astype(np.float32) * (alpha / 255), colour)

    def lay(
        self, box: tuple[int, int, int, int], alpha: np.ndarray, colour: Colour, gloss: float | None = None
    ) -> None:
        """Blend a colour (and gloss) into the pixels of a box (x1, y1, x2, y2) by alpha 0–1."""
        x1, y1, x2, y2 = box
        part = self.pixels[y1:y2, x1:x2]
        alpha = alpha[..., None]
        part[..., :3] += (np.asarray(colour, np.float32) - part[..., :3]) * alpha
        if gloss is not None:
            part[..., 3:] += (gloss - part[..., 3:]) * alpha

    def mask(
        self, points: np.ndarray, width: float | None, blur: float
    ) -> tuple[tuple[int, int, int, int], np.ndarray]:
        """Coverage 0–1 of a polygon or line, blurred (canonical), and the box of pixels that holds it."""
        xy = self.at(points)
        pad = int((3 * blur + (width or 0)) * self.scale) + 2
        h, w = self.pixels.shape[:2]
        x1, y1 = (int(v) for v in np.clip(np.floor(xy.min(0)) - pad, 0, (w - 1, h - 1)))
        x2, y2 = (int(v) for v in np.clip(np.ceil(xy.max(0)) + pad, (x1 + 1, y1 + 1), (w, h)))
        alpha = np.zeros((y2 - y1, x2 - x1), np.uint8)
        fixed = np.round((xy - (x1, y1)) * 16).astype(np.int32)
        if width is None:
            cv2.fillPoly(alpha, [fixed], 255, cv2.LINE_AA, 4)
        else:
            thick = width * self.scale
            cv2.polylines(alpha, [fixed], False, int(255 * min(1.0, thick)), max(1, round(thick)), cv2.LINE_AA, 4)
        soft = alpha.astype(np.float32) / 255
        return (x1, y1, x2, y2), cv2.GaussianBlur(soft, (0, 0), blur * self.scale) if blur * self.scale > 0.3 else soft

    def _draw(self, points: np.ndarray, colour: Colour, width: float | None, how: dict[str, float]) -> None:
        box, alpha = self.mask(points, width, how.get("blur", 0.006))
        self.lay(box, alpha * how.get("alpha", 1.0), colour, how.get("gloss"))


def curve(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """A smooth line through points (n, d), `steps` points a piece (Catmull–Rom)."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([line.reshape(-1, p.shape[1]), p[-2:-1]])


def face(person: Person, expression: Expression, points: np.ndarray, *, scale: float, masked: bool) -> np.ndarray:
    """Paint a face: (h, w, 4), rgb albedo 0–255 and gloss 0–1. points (68, 3) canonical; scale in pixels a unit."""
    canvas = Canvas(person.skin, scale=scale)
    rng = np.random.default_rng([11, person.seed])
    _complexion(canvas, person, rng)
    _age(canvas, person, expression)
    _nose(canvas, person)
    if not masked:
        _mouth(canvas, person, expression, points)
    _scalp(canvas, person, rng)
    _beard(canvas, person, points, rng)
    for eye in (points[36:42], points[[45, 44, 43, 42, 47, 46]]):
        _eye(canvas, person, expression, eye)
    _brows(canvas, person, points, rng)
    return canvas.pixels


def _tone(person: Person, *factors: float) -> np.ndarray:
    return np.clip(np.array(person.skin) * np.array(factors), 0, 255)


def _complexion(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    h, w = canvas.pixels.shape[:2]
    coarse = cv2.resize(rng.normal(0, 1, (14, 9, 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    middle = cv2.resize(rng.normal(0, 1, (90, 60)).astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    fine = rng.normal(0, 1, (h, w)).astype(np.float32)
    mottle = 1 + 0.008 * coarse + ((0.010 + 0.012 * person.age) * middle + 0.014 * fine)[..., None]
    canvas.pixels[..., :3] *= mottle
    flush = _tone(person, 1.04, 0.82, 0.80)
    for side in (-1, 1):
        canvas.spot((side * 0.60, 0.52), (0.30, 0.24), flush, alpha=0.42, blur=0.12)
        canvas.spot((side * 0.46, 0.02), (0.27, 0.17), _tone(person, 0.86, 0.79, 0.77), alpha=0.45, blur=0.08)
    canvas.spot((0, 0.64), (0.17, 0.13), flush, alpha=0.40, blur=0.07, gloss=0.55)
    canvas.spot((0, -0.75), (0.5, 0.25), _tone(person, 1.02, 1.0, 0.97), alpha=0.5, blur=0.15, gloss=0.5)
    canvas.spot((0, 1.60), (0.25, 0.14), flush, alpha=0.18, blur=0.08)
    if person.freckles:
        spots = np.stack([rng.normal(0, 0.5, 90), rng.normal(0.42, 0.22, 90)], 1)[:, None] + [[0, 0], [0.006, 0.002]]
        canvas.strokes(spots, _tone(person, 0.78, 0.64, 0.54), 0.022, alpha=0.45)
    for _ in range(int(rng.poisson(1.2))):
        place = rng.uniform(-0.85, 0.85), rng.uniform(-0.8, 1.5)
        canvas.spot(place, (0.018, 0.018), _tone(person, 0.5, 0.42, 0.38), alpha=0.8, blur=0.006)


def _age(canvas: Canvas, person: Person, expression: Expression) -> None:
    crease = _tone(person, 0.70, 0.60, 0.55)
    old = np.clip(person.age * 1.3 - 0.15, 0, 1)
    smile = max(expression.smile, 0)
    for side in (-1, 1):
        fold = curve(np.array([(0.25, 0.72), (0.36, 0.84), (0.45, 0.98), (0.50, 1.12)]) * (side, 1))
        canvas.line(fold, crease, 0.03, alpha=0.12 + 0.35 * old + 0.25 * smile, blur=0.018)
        bag = curve(np.array([(0.26, 0.13), (0.40, 0.20), (0.56, 0.19), (0.68, 0.11)]) * (side, 1))
        canvas.line(bag, crease, 0.03, alpha=0.14 + 0.32 * old, blur=0.016)
        for k in range(3):
            crow = np.array([(0.74, -0.02 + 0.03 * k), (0.84, -0.07 + 0.06 * k), (0.92, -0.10 + 0.10 * k)]) * (side, 1)
            canvas.line(curve(crow), crease, 0.012, alpha=0.4 * old + 0.12 * smile, blur=0.008)
    if old > 0.1:
        for k, y in enumerate((-0.62, -0.76, -0.90)):
            line = curve(np.array([(-0.5, y + 0.03), (-0.2, y - 0.01 * k), (0.1, y + 0.015), (0.5, y + 0.03)]))
            canvas.line(line, crease, 0.016, alpha=0.36 * old, blur=0.010)
        for side in (-1, 1):
            canvas.line(
                np.array([(0.07 * side, -0.33), (0.06 * side, -0.18)]), crease, 0.016, alpha=0.4 * old, blur=0.01
            )


def _nose(canvas: Canvas, person: Person) -> None:
    dark = _tone(person, 0.30, 0.22, 0.20) if person.darkness < 0.6 else _tone(person, 0.42, 0.36, 0.34)
    strength = 0.95 - 0.30 * person.darkness
    canvas.spot((0, 0.775), (0.20, 0.03), _tone(person, 0.70, 0.58, 0.54), alpha=0.5, blur=0.02)
    for side in (-1, 1):
        canvas.spot((side * 0.098, 0.752), (0.052, 0.022), dark, alpha=strength, blur=0.010, gloss=0.05)
        wing = curve(np.array([(0.20, 0.60), (0.255, 0.66), (0.255, 0.73), (0.20, 0.765)]) * (side, 1))
        canvas.line(wing, _tone(person, 0.62, 0.50, 0.46), 0.022, alpha=0.5, blur=0.014)


def _mouth(canvas: Canvas, person: Person, expression: Expression, points: np.ndarray) -> None:
    outer = np.concatenate([curve(points[48:55], 6), curve(points[[54, 55, 56, 57, 58, 59, 48]], 6)])
    upper = np.concatenate([curve(points[48:55], 6), curve(points[[64, 63, 62, 61, 60]], 6)])
    dark = person.darkness
    lower_colour = np.array(person.skin) * (0.93, 0.66 + 0.10 * dark, 0.66 + 0.10 * dark)
    upper_colour = np.array(person.skin) * (0.80 - 0.10 * dark, 0.54, 0.54 + 0.04 * dark)
    if person.lipstick is not None:
        lower_colour = 0.25 * lower_colour + 0.75 * np.array(person.lipstick) * (1 - 0.25 * dark)
        upper_colour = lower_colour * 0.82
    if person.beard in ("full", "goatee", "moustache"):
        lower_colour = np.clip(lower_colour * (1.04, 0.90, 0.90), 0, 255)
    gloss = 0.9 if person.lipstick is not None else 0.6
    canvas.fill(outer, lower_colour, alpha=0.88, blur=0.013, gloss=gloss)
    canvas.fill(upper, upper_colour, alpha=0.85, blur=0.010, gloss=gloss * 0.8)
    for x in np.linspace(-0.25, 0.25, 13):
        top, low = points[51, 1] + 0.03, points[57, 1] - 0.02
        ends = np.array([(x, top + 0.3 * x * x), (x * 1.08, low - 0.6 * x * x)])
        canvas.line(ends, lower_colour * 0.80, 0.008, alpha=0.22, blur=0.005)
    line = np.concatenate([points[48:49], points[60:65], points[54:55]])
    gap = points[66, 1] - points[62, 1]
    if gap > 0.05:
        _open_mouth(canvas, points, gap)
    else:
        canvas.line(
            curve(line),
            lower_colour * 0.30,
            (0.036 if person.beard != "none" else 0.030) + 0.012 * dark,
            alpha=0.95,
            blur=0.008,
            gloss=0.1,
        )
    for corner in (points[48], points[54]):
        canvas.spot(corner[:2], (0.03, 0.022), lower_colour * 0.45, alpha=0.6, blur=0.014)
    shade = points[57, :2] + (0, 0.06)
    canvas.spot(shade, (0.24, 0.035), _tone(person, 0.72, 0.62, 0.58), alpha=0.40, blur=0.025)


def _open_mouth(canvas: Canvas, points: np.ndarray, gap: float) -> None:
    inner = np.concatenate([curve(points[60:65], 6), curve(points[[64, 65, 66, 67, 60]], 6)])
    canvas.fill(inner, (52, 18, 18), alpha=1.0, blur=0.008, gloss=0.1)
    box, cavity = canvas.mask(inner, None, 0.005)
    top = curve(points[60:65], 6)
    drop = min(gap * 0.72, 0.085) * (1 - (np.abs(top[:, :1]) / 0.40) ** 3)
    bottom = top + np.concatenate([np.zeros_like(drop), drop, np.zeros_like(drop)], 1)
    teeth_box, teeth = canvas.mask(np.concatenate([top, bottom[::-1]]), None, 0.004)
    whole = np.zeros(canvas.pixels.shape[:2], np.float32)
    whole[teeth_box[1] : teeth_box[3], teeth_box[0] : teeth_box[2]] = teeth
    x1, y1, x2, y2 = box
    canvas.lay(box, whole[y1:y2, x1:x2] * cavity, (226, 218, 204), 0.8)
    for x in np.linspace(-0.24, 0.24, 8):
        y = np.interp(x, top[:, 0], top[:, 1])
        canvas.line(np.array([(x, y), (x, y + min(gap * 0.5, 0.06))]), (150, 132, 118), 0.006, alpha=0.35, blur=0.004)
    canvas.line(top, (70, 28, 28), 0.018, alpha=0.8, blur=0.008)


def _eye(canvas: Canvas, person: Person, expression: Expression, eye: np.ndarray) -> None:
    """One eye; eye (6, 3) runs from its outer corner over the upper lid to the inner corner and back below."""
    side = np.sign(eye[0, 0])
    upper, lower = curve(eye[[0, 1, 2, 3]], 8), curve(eye[[3, 4, 5, 0]], 8)
    outline = np.concatenate([upper, lower])
    box, opening = canvas.mask(outline, None, 0.004)
    x1, y1, x2, y2 = box
    yy, xx = np.mgrid[y1:y2, x1:x2].astype(np.float32)
    height = float(eye[4:6, 1].mean() - eye[1:3, 1].mean())
    middle = np.array([eye[[0, 3], 0].mean() + 0.035 * expression.gaze[0],
                       eye[[1, 2, 4, 5], 1].mean() - 0.012 + 0.02 * expression.gaze[1]])  # fmt: skip
    cx, cy = (middle - (LEFT, TOP)) * canvas.scale
    r = np.hypot(xx + 0.5 - cx, yy + 0.5 - cy) / (canvas.scale * 0.098)
    far = np.abs(xx + 0.5 - (eye[[0, 3], 0].mean() - LEFT) * canvas.scale) / (canvas.scale * 0.19)
    white = np.array((244, 240, 236)) - np.array((10, 16, 18)) * person.age
    colour = white * (1 - 0.30 * np.clip(far, 0, 1.2)[..., None] ** 2 * (0.7, 1.0, 1.0))
    edge = np.clip((1.0 - r) * 9 + 0.5, 0, 1)[..., None]
    rays = 1 + 0.16 * np.sin(np.arctan2(yy - cy, xx - cx) * 23) * np.clip(r, 0, 1)
    iris = np.array(person.iris) * ((0.82 + 0.55 * np.clip(r, 0, 1) ** 2) * rays)[..., None]
    iris = iris * (1 - 0.72 * np.clip((r - 0.74) / 0.26, 0, 1)[..., None] ** 1.5)
    iris = iris * (1 - np.clip((0.46 - r) * 9 + 0.5, 0, 1)[..., None] * 0.94)
    colour = colour * (1 - edge) + iris * edge
    lid = np.interp(xx[0] / canvas.scale + LEFT, *_rising(upper))
    below = (yy / canvas.scale + TOP - lid) / max(height, 0.03)
    colour = colour * (1 - 0.52 * np.exp(-((np.clip(below, 0, None) / 0.28) ** 2)))[..., None]
    part = canvas.pixels[y1:y2, x1:x2]
    part[..., :3] += (colour - part[..., :3]) * opening[..., None]
    part[..., 3] += (0.12 - part[..., 3]) * opening
    canvas.spot(eye[3, :2] + (side * 0.014, 0.006), (0.026, 0.018), (190, 122, 112), alpha=0.75, blur=0.008)
    glint = middle + (-0.034, -0.036)
    canvas.spot(glint, (0.015, 0.017), (255, 255, 255), alpha=0.9 if expression.squint < 0.8 else 0.3, blur=0.005)
    canvas.spot(middle + (0.04, 0.045), (0.020, 0.012), (225, 230, 240), alpha=0.25, blur=0.010)
    _lids(canvas, person, upper, lower, side)


def _rising(line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(line[:, 0], kind="stable")
    return line[order, 0], line[order, 1]


def _lids(canvas: Canvas, person: Person, upper: np.ndarray, lower: np.ndarray, side: float) -> None:
    lash = np.array((24, 18, 16)) if person.darkness > 0.25 or person.age < 0.6 else np.array((58, 44, 38))
    canvas.line(upper, lash, 0.024 if person.lipstick is not None else 0.018, alpha=0.92, blur=0.006)
    outer = upper[: len(upper) // 2] + (side * 0.012, -0.012, 0)
    canvas.line(outer, lash, 0.018, alpha=0.75, blur=0.008)
    canvas.line(lower, _tone(person, 0.52, 0.40, 0.38), 0.010, alpha=0.62, blur=0.006)
    rim = lower + (0, 0.018, 0)
    canvas.line(rim, _tone(person, 1.02, 0.84, 0.82), 0.020, alpha=0.35, blur=0.008)
    t = np.linspace(0, 1, len(upper))
    crease = upper + np.stack([0 * t, -0.035 - 0.045 * np.sin(np.pi * np.clip(t * 1.05, 0, 1)), 0 * t], 1)
    canvas.line(crease, _tone(person, 0.58, 0.47, 0.43), 0.016, alpha=0.65, blur=0.010)


def _brows(canvas: Canvas, person: Person, points: np.ndarray, rng: np.random.Generator) -> None:
    hair = np.array(person.hair_colour) * 0.75
    hair = np.minimum(hair, np.array(person.skin) * 0.72) if person.age < 0.8 else hair
    thick = 0.058 * (1 + person.shape["brow"]) * (0.85 if person.lipstick is not None else 1.12)
    for brow in (points[17:22][::-1], points[22:27]):
        side = np.sign(brow[-1, 0])
        spine = curve(brow[:, :2] + (0, 0.036), 12)
        t = np.linspace(0, 1, len(spine))
        half = thick * (0.62 + 0.55 * np.sin(np.pi * np.clip(t * 0.9 + 0.12, 0, 1))) * (1 - 0.72 * t**3)
        band = np.concatenate([spine - np.stack([0 * t, half], 1), (spine + np.stack([0 * t, half], 1))[::-1]])
        canvas.fill(band, hair, alpha=0.62, blur=0.022)
        strokes = []
        for _ in range(60):
            i = int(rng.integers(0, len(spine) - 4))
            lean = rng.normal(0.25 + 0.75 * t[i], 0.18)
            root = spine[i] + (0, rng.uniform(-0.8, 1.0) * half[i])
            tip = root + np.array([side * (0.035 + 0.06 * lean), -0.075 * (1 - lean)]) * rng.uniform(0.7, 1.2)
            strokes.append((root, tip))
        for k in range(3):
            canvas.strokes(np.array(strokes[k::3]), hair * (0.6 + 0.2 * k), 0.011, alpha=0.62)


def _scalp(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    """The soft edge of the hair: roots that thin out into the skin."""
    edge = hairline(person)
    if edge is None:
        return
    h, w = canvas.pixels.shape[:2]
    x = np.linspace(LEFT, RIGHT, w, dtype=np.float32)
    y = np.linspace(TOP, BOTTOM, h, dtype=np.float32)[:, None]
    line = np.interp(x, edge[:, 0], edge[:, 1])[None]
    line = line + np.where(np.abs(x) > edge[-1, 0], 0.2, 0)[None]
    roots = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), sigmaX=0.7, sigmaY=2.0)
    inside = np.clip((line - y) / 0.055 + 0.75 + 1.3 * roots, 0, 1) * (y < 0.3)
    strength = {"buzz": 0.75, "receding": 0.6}.get(person.hair, 0.9)
    colour = np.array(person.hair_colour) * 0.75
    canvas.lay((0, 0, w, h), (inside * strength).astype(np.float32), colour, 0.1)


def _beard(canvas: Canvas, person: Person, points: np.ndarray, rng: np.random.Generator) -> None:
    if person.beard == "none":
        return
    h, w = canvas.pixels.shape[:2]
    x = np.linspace(LEFT, RIGHT, w, dtype=np.float32)[None]
    y = np.linspace(TOP, BOTTOM, h, dtype=np.float32)[:, None]
    lip = points[51, 1] - 0.03, points[57, 1] + 0.05
    moustache = np.exp(-(((y - (lip[0] - 0.035 + 0.25 * x**2)) / 0.045) ** 4)) * np.exp(-((x / 0.38) ** 6)) * 0.8
    cheek_line = 0.62 + 0.48 * np.cos(np.clip(np.abs(x) / 1.12, 0, 1) * 1.5707) ** 0.8
    jaw = 1 / (1 + np.exp(np.clip((cheek_line - y) / 0.06, -60, 60))) * np.exp(-((x / 1.25) ** 12))
    goatee = np.exp(-((np.abs(x) / 0.34) ** 3)) * (y > lip[1] - 0.02) * np.exp(-(((y - 1.55) / 0.33) ** 4))
    mouth = np.exp(-((x / 0.47) ** 4)) * np.exp(-(((y - (lip[0] + lip[1]) / 2) / (0.60 * (lip[1] - lip[0]))) ** 6))
    where = {
        "stubble": np.maximum(jaw, moustache) * 0.42, "full": np.maximum(jaw, moustache),
        "goatee": np.maximum(goatee, moustache), "moustache": moustache,
    }[person.beard] * (1 - mouth)  # fmt: skip
    grain = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), sigmaX=0.6, sigmaY=2.2)
    grain = grain / (grain.std() + 1e-6)
    hair = np.minimum(np.array(person.hair_colour), np.array(person.skin) * (1.1 if person.darkness > 0.5 else 0.8))
    hair = 0.7 * hair + 0.3 * np.array(person.skin)
    alpha = np.clip(where * (0.76 + 0.24 * grain), 0, 0.93)
    canvas.lay((0, 0, w, h), alpha.astype(np.float32), hair * 0.9, 0.15)
    light = np.clip(where * (grain - 0.9) * 0.35, 0, 0.4)
    canvas.lay((0, 0, w, h), light.astype(np.float32), np.clip(hair * 1.7 + 12, 0, 235))
