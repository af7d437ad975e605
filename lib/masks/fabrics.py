"""What masks are made of, drawn by code: colour and relief over the sheet's own coordinates (u, v)."""

from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["COLOURS", "PATTERNS", "Fabric", "Room", "cloth", "fold", "kn95", "n95", "sports", "surgical"]

WIDE, TALL = 2.4, 1.75  # a sheet's usual size in units of the head

COLOURS = {  # sRGB, 0–255
    "blue": (150, 190, 222),
    "white": (236, 238, 240),
    "green": (150, 205, 180),
    "black": (36, 37, 40),
    "pink": (238, 178, 196),
    "grey": (138, 142, 148),
    "navy": (34, 48, 88),
    "red": (176, 38, 44),
    "beige": (214, 190, 160),
    "yellow": (232, 198, 92),
    "purple": (116, 84, 150),
    "olive": (96, 102, 66),
    "teal": (52, 128, 132),
    "denim": (74, 98, 138),
    "orange": (222, 118, 52),
}


@dataclass(frozen=True)
class Fabric:
    """rgb (h, w, 3) float32 0–1 as under white light, relief (h, w) in units of the head, gloss 0–1, strap colour.

    cover (h, w) 0–1 is for holes and clear windows; None: opaque.
    """

    rgb: np.ndarray
    relief: np.ndarray
    strap: tuple[int, int, int]
    gloss: float = 0.0
    cover: np.ndarray | None = None


class Room:
    """The grid that a fabric is drawn on: u, v (h, w), x, y in units of the head, and chance."""

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        self.w, self.h = size
        self.rng = rng
        u = (np.arange(self.w, dtype=np.float32) + 0.5) / self.w * 2 - 1
        v = (np.arange(self.h, dtype=np.float32) + 0.5) / self.h
        self.u, self.v = (np.ascontiguousarray(a) for a in np.broadcast_arrays(u[None], v[:, None]))
        self.x, self.y = self.u * (WIDE / 2), self.v * TALL
        self.pixel = WIDE / self.w  # units a texel

    def plain(self, colour: tuple[float, ...], *, vary: float = 0.03) -> np.ndarray:
        """One colour, a little different each time, with faint cloudiness."""
        base = np.clip(np.array(colour) / 255 * (1 + self.rng.normal(0, vary, 3)), 0.02, 0.97)
        clouds = 1 + 0.025 * self.noise(0.35)
        return (base * clouds[..., None]).astype(np.float32)

    def noise(self, grain: float) -> np.ndarray:
        """Smooth noise (h, w), about −2…2, with features of `grain` units."""
        small = max(2, round(WIDE / grain)), max(2, round(TALL / grain))
        field = self.rng.standard_normal((small[1] + 2, small[0] + 2)).astype(np.float32)
        big = cv2.resize(field, (self.w + 8, self.h + 8), interpolation=cv2.INTER_CUBIC)
        return big[4 : 4 + self.h, 4 : 4 + self.w]

    def line(self, distance: np.ndarray, width: float) -> np.ndarray:
        """1 on a line where a signed distance is 0, falling smoothly to 0; never thinner than a texel."""
        return np.exp(-((distance / max(width, 0.7 * self.pixel)) ** 2))

    def step(self, distance: np.ndarray, width: float) -> np.ndarray:
        """0 before a line, 1 behind it, smooth over `width` units and never sharper than a texel."""
        return 0.5 + 0.5 * np.tanh(distance / max(width, self.pixel))

    def wrinkles(self, strength: float) -> np.ndarray:
        """Relief of tension folds from the four corners and of creases anywhere."""
        relief = strength * 0.012 * self.noise(0.28) + strength * 0.006 * self.noise(0.13)
        u, v = np.linspace(-1, 1, 72, dtype=np.float32)[None], np.linspace(0, 1, 56, dtype=np.float32)[:, None]
        folds = np.zeros((56, 72), np.float32)
        for side in (-1, 1):
            for corner in (0.0, 1.0):
                near = (u - side) ** 2 + 1.2 * (v - corner) ** 2
                turn = np.arctan2(v - corner, side - u + 1e-3)
                wave = np.sin(turn * self.rng.uniform(9, 15) + self.rng.uniform(0, 6.3))
                folds += strength * 0.012 * wave * np.exp(-4 * near)
        return relief + cv2.resize(folds, (self.w, self.h), interpolation=cv2.INTER_CUBIC)

    def stitches(self, distance: np.ndarray, along: np.ndarray, *, step: float = 0.045) -> np.ndarray:
        """A seam of short stitches where distance is 0; 1 on thread."""
        dashes = np.clip(1.6 * np.sin(along * (2 * np.pi / step)) + 0.6, 0, 1) if self.pixel < step / 3 else 0.5
        return self.line(distance, 0.008) * dashes


def _hem(room: Room, width: float = 0.03) -> np.ndarray:
    """How far inside the hem along all four edges a place is: 0 at the rim, 1 further in."""
    inside = np.minimum(np.minimum(room.v, 1 - room.v) * TALL, (1 - np.abs(room.u)) * WIDE / 2)
    return np.clip(inside / width, 0, 1)


def surgical(room: Room, colour: str, *, wrinkled: float = 1.0) -> Fabric:
    """Pleated non-woven: three folds, a nose wire, bound sides, a whiter hem."""
    rng = room.rng
    rgb = room.plain(COLOURS[colour])
    relief = room.wrinkles(0.65 * wrinkled)
    open_ = 1 - np.abs(room.u) ** 4
    dark = np.zeros_like(room.u)
    for centre in (0.30, 0.50, 0.70):
        at = centre + rng.normal(0, 0.012) + 0.008 * room.noise(1.2) + rng.normal(0, 0.01) * room.u
        distance = (room.v - at) * TALL
        depth = rng.uniform(0.03, 0.06)
        relief = relief + depth * (0.35 + 0.65 * open_) * room.step(distance, 0.014) * np.exp(
            -np.maximum(distance, 0) / 0.12
        )
        dark = np.maximum(dark, room.line(distance + 0.012, 0.016) * (0.26 + 0.14 * open_))
        dark = np.maximum(dark, 0.11 * np.exp(np.minimum(distance, 0) / 0.05) * room.step(-distance, 0.012))
    wire = np.exp(-(((room.v - 0.065) * TALL / 0.03) ** 4)) * np.clip(4 - 9 * np.abs(room.u), 0, 1)
    relief = relief + 0.012 * wire
    for edge in (0.028, 0.965):
        dark = np.maximum(dark, 0.10 * room.line((room.v - edge) * TALL, 0.010))
    dark = np.maximum(dark, 0.10 * room.line((1 - np.abs(room.u) - 0.045) * WIDE / 2, 0.010))
    if room.pixel < 0.014:  # embossed dots are seen only near by
        relief = relief + 0.0016 * np.sin(room.x * 150) * np.sin(room.y * 150)
    rgb = rgb * (1 - dark[..., None])
    pale = (1 - _hem(room, 0.02)) * rng.uniform(0, 0.35) * (colour != "black")
    rgb = rgb + (0.93 - rgb) * pale[..., None]
    white = COLOURS["black"] if colour == "black" and rng.random() < 0.8 else COLOURS["white"]
    return Fabric(rgb, relief, white)


def n95(room: Room, colour: str, *, valve: bool = False) -> Fabric:
    """A moulded cup: embossed rim, metal nose clip, a seam around the dome."""
    rng = room.rng
    rgb = room.plain(COLOURS[colour], vary=0.02)
    rgb = rgb * (1 + 0.012 * rng.standard_normal(room.u.shape).astype(np.float32)[..., None])
    radius = np.hypot(room.u, (room.v - 0.5) * 2)
    relief = 0.006 * room.noise(0.3) + 0.02 * np.clip((radius - 0.8) * -8, 0, 1)
    ring = room.line((radius - 0.86) * 0.9, 0.02)
    relief = relief - 0.012 * ring
    rgb = rgb * (1 - 0.08 * ring[..., None])
    rgb, relief = _clip(room, rgb, relief, metal=rng.random() < 0.7)
    if rng.random() < 0.5:  # a ridge across, as on common cups
        relief = relief + 0.014 * room.line((room.v - 0.40 - 0.10 * room.u**2) * TALL, 0.05)
    rgb = _print(room, rgb, at=(0.0, 0.72) if not valve else (0.45, 0.55), chance=0.6)
    if valve:
        rgb, relief = _valve(room, rgb, relief, at=(0.0, 0.60))
    strap = [(235, 225, 190), (232, 196, 60), (240, 240, 240)][int(rng.integers(3))]
    return Fabric(rgb, relief, strap)


def _clip(room: Room, rgb: np.ndarray, relief: np.ndarray, *, metal: bool) -> tuple[np.ndarray, np.ndarray]:
    """A nose clip along the upper edge."""
    clip = np.exp(-(((room.v - 0.075) * TALL / 0.035) ** 6)) * np.clip(5 - 14 * np.abs(room.u), 0, 1)
    if metal:
        shade = 0.62 + 0.12 * np.sin(room.u * 30) * 0.3
        rgb = rgb + (shade[..., None] - rgb) * (0.85 * clip[..., None])
    return rgb, relief + 0.015 * clip


def _valve(
    room: Room, rgb: np.ndarray, relief: np.ndarray, *, at: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A round exhalation valve with slots."""
    x, y = room.x - at[0] * WIDE / 2, room.y - at[1] * TALL
    radius = np.hypot(x, y)
    size = room.rng.uniform(0.20, 0.26)
    inside = np.clip((size - radius) / max(room.pixel, 0.01) + 0.5, 0, 1)
    tone = np.array([(0.9, 0.9, 0.9), (0.75, 0.77, 0.8), (0.2, 0.3, 0.55), (0.75, 0.2, 0.18)])[room.rng.integers(4)]
    slots = np.clip(1.5 * np.sin(y * 2 * np.pi / 0.075), 0, 1) * (radius < 0.72 * size)
    face = tone[None, None] * (1 - 0.45 * slots[..., None])
    rim = room.line(radius - size, 0.015)
    rgb = rgb + (face - rgb) * inside[..., None]
    return rgb * (1 - 0.35 * rim[..., None]), relief + 0.05 * inside - 0.02 * slots


def _print(room: Room, rgb: np.ndarray, *, at: tuple[float, float], chance: float) -> np.ndarray:
    """Small lines of type, as makers print them: bars that look like letters at this size."""
    if room.rng.random() > chance or room.pixel > 0.03:
        return rgb
    ink = np.zeros((room.h, room.w), np.uint8)
    x, y = int((at[0] + 1) / 2 * room.w), int(at[1] * room.h)
    words = "".join(room.rng.choice(list("FPNRKABC0129 "), 9))
    size = 0.085 / room.pixel / 22
    for row in range(int(room.rng.integers(1, 3))):
        cv2.putText(
            ink, words[row:], (int(x - 4.2 * 20 * size), int(y + row * 32 * size)), 0, size, 255, 1, cv2.LINE_AA
        )
    return rgb * (1 - room.rng.uniform(0.25, 0.5) * ink.astype(np.float32)[..., None] / 255)


def fold(room: Room, colour: str, *, valve: bool = False) -> Fabric:
    """A flat-fold respirator of three panels with welded edges."""
    rgb = room.plain(COLOURS[colour], vary=0.02)
    relief = room.wrinkles(0.5)
    dark = np.zeros_like(room.u)
    for centre, bow in ((0.34, 0.10), (0.68, -0.12)):
        distance = (room.v - centre + bow * (room.u**2 - 0.4)) * TALL
        relief = relief + 0.02 * np.tanh(distance / 0.03) * (1 if centre < 0.5 else -1)
        dark = np.maximum(dark, 0.17 * room.line(distance, 0.012))
    weld = (_hem(room, 0.12) < 1) * (0.5 + 0.5 * np.sin((room.x + room.y) * 2 * np.pi / 0.05))
    rgb = rgb * (1 - (dark + 0.06 * weld * (room.pixel < 0.02))[..., None])
    rgb, relief = _clip(room, rgb, relief, metal=room.rng.random() < 0.3)
    rgb = _print(room, rgb, at=(0.0 if not valve else -0.4, 0.5), chance=0.7)
    if valve:
        rgb, relief = _valve(room, rgb, relief, at=(float(room.rng.choice([0.0, 0.4])), 0.52))
    strap = [(240, 240, 240), (232, 196, 60), (90, 120, 170)][int(room.rng.integers(3))]
    return Fabric(rgb, relief, strap)


def kn95(room: Room, colour: str) -> Fabric:
    """Folded down the middle, edges welded in dashes."""
    rng = room.rng
    rgb = room.plain(COLOURS[colour], vary=0.02)
    relief = room.wrinkles(0.5)
    seam = room.line(room.x, 0.012)
    side = np.abs(room.x)
    dark = 0.16 * seam
    relief = relief - 0.01 * seam
    for distance in (side - 0.07, (0.93 - np.abs(room.u)) * WIDE / 2, (room.v - 0.06) * TALL, (0.95 - room.v) * TALL):
        dark = np.maximum(dark, 0.14 * room.stitches(distance, room.x + room.y, step=0.06))
    bend = (room.v - 0.30 - 0.22 * np.abs(room.u)) * TALL
    relief = relief + 0.012 * np.tanh(bend / 0.04)
    dark = np.maximum(dark, 0.08 * room.line(bend, 0.02))
    rgb = rgb * (1 - dark[..., None])
    rgb, relief = _clip(room, rgb, relief, metal=rng.random() < 0.35)
    rgb = _print(room, rgb, at=(float(rng.choice([-0.5, 0.5])), 0.55), chance=0.7)
    return Fabric(rgb, relief, COLOURS["black"] if colour == "black" else COLOURS["white"])


def cloth(room: Room, pattern: str) -> Fabric:
    """Sewn cotton: a seam down the middle, stitched hems, woven grain, a pattern of `PATTERNS`."""
    rng = room.rng
    rgb = PATTERNS[pattern](room).astype(np.float32)
    relief = room.wrinkles(1.3) + (0.0014 * np.sin(room.x * 160) * np.cos(room.y * 160) if room.pixel < 0.014 else 0)
    dark = np.zeros_like(room.u)
    if rng.random() < 0.7:
        seam = room.line(room.x, 0.014)
        relief, dark = relief - 0.012 * seam, 0.2 * seam
    else:
        for at in (0.36, 0.62):
            relief = relief + 0.02 * np.exp(-np.abs((room.v - at) * TALL) / 0.06) * (room.v > at)
            dark = np.maximum(dark, 0.16 * room.line((room.v - at) * TALL, 0.012))
    for distance, along in (
        ((room.v - 0.04) * TALL, room.x),
        ((0.96 - room.v) * TALL, room.x),
        ((0.955 - np.abs(room.u)) * WIDE / 2, room.y),
    ):
        relief = relief - 0.006 * room.line(distance, 0.02)
        dark = np.maximum(dark, 0.15 * room.stitches(distance, along))
    rgb = rgb * (1 - dark[..., None])
    strap = COLOURS[str(rng.choice(["white", "black"]))] if pattern == "plain" else COLOURS["black"]
    return Fabric(np.clip(rgb, 0, 1), relief, strap)


def sports(room: Room, colour: str) -> Fabric:
    """Neoprene up to the ears: smooth, with panel seams, an accent and round vents."""
    rng = room.rng
    rgb = room.plain(COLOURS[colour], vary=0.02)
    relief = room.wrinkles(0.5)
    accent = np.array(COLOURS[str(rng.choice(["grey", "red", "blue", "orange", "white"]))]) / 255
    seam = (np.abs(room.u) - 0.55 - 0.18 * (room.v - 0.5)) * WIDE / 2
    line = room.line(seam, 0.02)
    rgb = rgb + (accent - rgb) * (line * rng.uniform(0.2, 0.9))[..., None]
    relief = relief - 0.01 * line - 0.01 * room.line(room.x, 0.014)
    if rng.random() < 0.6:
        for side in (-1, 1):
            radius = np.hypot(room.x - side * 0.42, room.y - 0.62 * TALL)
            inside = np.clip((0.15 - radius) / max(room.pixel, 0.01) + 0.5, 0, 1)
            grille = np.clip(1.5 * np.sin(radius * 2 * np.pi / 0.05), 0, 1)
            rgb = rgb + ((0.10 + 0.12 * grille)[..., None] - rgb) * inside[..., None]
            relief = relief + 0.02 * inside
    return Fabric(rgb, relief, COLOURS[colour], gloss=0.12)


def _any(rng: np.random.Generator, *, but: tuple[str, ...] = ()) -> np.ndarray:
    return np.array(COLOURS[str(rng.choice([name for name in COLOURS if name not in but]))], np.float32) / 255


def _plain(room: Room) -> np.ndarray:
    return room.plain(tuple(_any(room.rng) * 255), vary=0.08)


def _two(room: Room, share: np.ndarray) -> np.ndarray:
    """Two colours that differ, mixed by share (h, w)."""
    first = _any(room.rng)
    second = max((_any(room.rng) for _ in range(5)), key=lambda c: float(np.abs(c - first).sum()))
    return first + (second - first) * np.clip(share, 0, 1)[..., None]


def _stripes(room: Room) -> np.ndarray:
    angle, step = room.rng.choice([0, np.pi / 2, np.pi / 4]), room.rng.uniform(0.10, 0.32)
    return _two(room, 0.5 + np.sin((room.x * np.cos(angle) + room.y * np.sin(angle)) * 2 * np.pi / step) * step / 0.04)


def _checks(room: Room) -> np.ndarray:
    step = room.rng.uniform(0.14, 0.4)
    a, b = (0.5 + np.sin(t * 2 * np.pi / step) * step / 0.05 for t in (room.x, room.y))
    return _two(room, (np.clip(a, 0, 1) + np.clip(b, 0, 1)) / 2)


def _dots(room: Room) -> np.ndarray:
    step = room.rng.uniform(0.14, 0.34)
    row = np.floor(room.y / step)
    x = (room.x / step + 0.5 * (row % 2)) % 1 - 0.5
    radius = np.hypot(x, (room.y / step) % 1 - 0.5) * step
    return _two(room, (room.rng.uniform(0.2, 0.36) * step - radius) / 0.02 + 0.5)


def _floral(room: Room) -> np.ndarray:
    rng = room.rng
    page = np.empty((room.h, room.w, 3), np.uint8)
    page[:] = _any(rng) * 255
    unit = 1 / room.pixel
    for _ in range(int(rng.integers(40, 80))):
        x, y = rng.uniform(0, room.w), rng.uniform(0, room.h)
        size, petals = rng.uniform(0.03, 0.08) * unit, int(rng.integers(4, 7))
        colour, turn = (_any(rng) * 255).tolist(), rng.uniform(0, 6.3)
        for k in range(petals):
            a = turn + 2 * np.pi * k / petals
            at = round(x + size * np.cos(a)), round(y + size * np.sin(a))
            cv2.circle(page, at, max(1, round(0.7 * size)), colour, -1, cv2.LINE_AA)
        cv2.circle(page, (round(x), round(y)), max(1, round(0.45 * size)), (235, 205, 90), -1, cv2.LINE_AA)
    return page.astype(np.float32) / 255


def _camouflage(room: Room) -> np.ndarray:
    sets = ([(96, 102, 66), (58, 64, 40), (140, 130, 92), (38, 36, 30)], [(150, 152, 156), (92, 96, 102), (52, 54, 60)])
    tones = np.array(sets[int(room.rng.integers(2))], np.float32) / 255
    rgb = np.broadcast_to(tones[0], (room.h, room.w, 3)).copy()
    for tone in tones[1:]:
        rgb[room.noise(0.22) + 0.5 * room.noise(0.11) > 0.55] = tone
    return rgb


def _print_(room: Room) -> np.ndarray:
    """Something like a logo: letters or a shape on one cheek or in the middle."""
    rng = room.rng
    rgb = _plain(room)
    ink = np.zeros((room.h, room.w), np.uint8)
    x, y = int(room.w * rng.choice([0.32, 0.5, 0.68])), int(room.h * rng.uniform(0.45, 0.6))
    unit = 1 / room.pixel
    if rng.random() < 0.5:
        word = "".join(rng.choice(list("ABCEHKLMNOPRSTUVXZ"), int(rng.integers(2, 6))))
        size = rng.uniform(0.2, 0.34) * unit / 22
        cv2.putText(
            ink, word, (int(x - 10 * size * len(word)), y), 0, size, 255, max(1, round(2.2 * size)), cv2.LINE_AA
        )
    else:
        angles = rng.uniform(0, 6.3) + np.arange(int(rng.integers(3, 9))) * 2.4
        shape = np.stack([x + 0.18 * unit * np.cos(angles), y + 0.18 * unit * np.sin(angles)], 1)
        cv2.fillPoly(ink, [shape.round().astype(np.int32)], 255, cv2.LINE_AA)
    return rgb + (_any(rng) - rgb) * (ink.astype(np.float32)[..., None] / 255)


def _mouth(room: Room) -> np.ndarray:
    """A printed mouth, to fool people: lips, a grin with teeth, or a tongue."""
    rng = room.rng
    rgb = (_plain(room) * 255).astype(np.uint8)
    unit = 1 / room.pixel
    at = room.w // 2, int(room.h * rng.uniform(0.55, 0.66))
    wide, tall = rng.uniform(0.28, 0.5) * unit, rng.uniform(0.09, 0.2) * unit
    axes = max(2, round(wide)), max(2, round(tall))
    lips = (rng.uniform(130, 210), rng.uniform(30, 90), rng.uniform(40, 90))
    cv2.ellipse(rgb, at, axes, 0, 0, 360, lips, -1, cv2.LINE_AA)
    inner = max(1, round(0.78 * wide)), max(1, round(0.5 * tall))
    cv2.ellipse(rgb, at, inner, 0, 0, 360, (240, 238, 230) if rng.random() < 0.6 else (60, 10, 20), -1, cv2.LINE_AA)
    cv2.line(rgb, (at[0] - inner[0], at[1]), (at[0] + inner[0], at[1]), (90, 50, 50), 1, cv2.LINE_AA)
    return rgb.astype(np.float32) / 255


PATTERNS = {
    "plain": _plain,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "floral": _floral,
    "camouflage": _camouflage,
    "print": _print_,
    "mouth": _mouth,
}
