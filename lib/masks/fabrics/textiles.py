"""Soft masks: surgical, sewn cotton, neoprene, clear windows; and what age does to any of them."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from .patterns import PATTERNS
from .room import COLOURS, TALL, WIDE, Fabric, Room

__all__ = ["aged", "clear", "cloth", "sports", "surgical", "window"]


def surgical(room: Room, colour: str, *, pattern: str = "plain") -> Fabric:
    """Pleated non-woven: folds across, a nose wire, bound sides, a whiter hem; printed, where a pattern is named."""
    rng = room.rng
    fold, dark = _pleats(room)
    open_ = 0.4 + 0.6 * (1 - np.abs(room.u) ** 4)
    relief = room.wrinkles(0.65) + fold * open_
    wire = np.exp(-(((room.v - 0.065) * (TALL / 0.03)) ** 4)) * np.clip(4 - 9 * np.abs(room.u), 0, 1)
    relief += 0.012 * wire + room.weave(0.0016, 150.0)  # embossed dots are seen only near by
    dark = dark * open_
    for edge in (0.028, 0.965):
        dark = np.maximum(dark, 0.10 * room.line((room.v - edge) * TALL, 0.010))
    dark = np.maximum(dark, 0.10 * room.line((0.955 - np.abs(room.u)) * (WIDE / 2), 0.010))
    dye = room.dye(colour)
    rgb = room.coloured(dye if pattern == "plain" else 0.45 * PATTERNS[pattern](room) + 0.55 * dye, dark)
    if colour != "black":
        pale = (1 - room.hem(0.02)) * float(rng.uniform(0, 0.35))
        rgb = room.mixed(rgb, np.full(3, 0.93), pale)
    strap = COLOURS["black"] if colour == "black" and rng.random() < 0.8 else COLOURS["white"]
    return Fabric(rgb, relief, strap)


def _pleats(room: Room) -> tuple[np.ndarray, np.ndarray]:
    """Relief and darkness (h, w) of two to four folds across, drawn once along v and bent by smooth chance."""
    rng, v = room.rng, np.linspace(-0.1, 1.1, 2 * room.h, dtype=np.float32)[:, None]
    relief, dark = np.zeros_like(v), np.zeros_like(v)
    count, gap, strong = int(rng.choice([2, 3, 3, 4])), rng.uniform(0.13, 0.21), rng.uniform(0.45, 1.05)
    for k in range(count):
        centre, deep = 0.5 + gap * (k - (count - 1) / 2) + rng.normal(0, 0.02), strong * rng.uniform(0.6, 1.1)
        distance = (centre - v) * TALL  # a fold opens downwards: its ledge faces down
        relief += 0.05 * deep * room.step(distance, 0.014) * np.exp(-np.maximum(distance, 0) / 0.12)
        dark = np.maximum(dark, 0.40 * deep * room.line(distance + 0.012, 0.016))
        dark = np.maximum(dark, 0.11 * deep * np.exp(np.minimum(distance, 0) / 0.05) * room.step(-distance, 0.012))
    bend = 0.009 * room.noise((1.2, 0.5)) + np.float32(rng.normal(0, 0.012)) * room.u
    at = (room.v - bend + 0.1) * np.float32(2 * room.h / 1.2)
    both = cv2.remap(
        cv2.merge([relief, dark]), np.zeros_like(at), at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return both[..., 0], both[..., 1]


def cloth(room: Room, pattern: str) -> Fabric:
    """Sewn cotton: a seam down the middle, stitched hems, woven grain, a pattern of `PATTERNS`."""
    rng = room.rng
    colour = PATTERNS[pattern](room)
    relief = room.wrinkles(1.3) + room.weave(0.0014, 160.0)
    if rng.random() < 0.7:
        seam = room.line(room.x, 0.014)
        relief, dark = relief - 0.012 * seam, 0.2 * seam
    else:
        dark = np.zeros_like(room.v)
        for at in (0.36, 0.62):
            relief = relief + 0.02 * np.exp(-np.abs((room.v - at) * TALL) / 0.06) * (room.v > at)
            dark = np.maximum(dark, 0.16 * room.line((room.v - at) * TALL, 0.012))
    for distance, along in (
        ((room.v - 0.04) * TALL, room.x),
        ((0.96 - room.v) * TALL, room.x),
        ((0.955 - np.abs(room.u)) * (WIDE / 2), room.y),
    ):
        relief = relief - 0.006 * room.line(distance, 0.02)
        dark = np.maximum(dark, 0.15 * room.stitches(distance, along))
    strap = COLOURS[str(rng.choice(["white", "black"]))] if pattern == "plain" else COLOURS["black"]
    return Fabric(room.coloured(colour, dark), relief, strap)


def sports(room: Room, colour: str, *, vents: bool = True) -> Fabric:
    """Neoprene up to the ears: smooth, with panel seams, an accent and, on some, round vents."""
    rng = room.rng
    relief, rgb = room.wrinkles(0.5), room.coloured(room.dye(colour, vary=0.04))
    accent = room.dye(str(rng.choice(["grey", "red", "blue", "orange", "white"]))) if vents else room.dye(colour) * 0.6
    seam = (np.abs(room.u) - 0.55 - 0.18 * (room.v - 0.5)) * (WIDE / 2)
    line = room.line(seam if vents else room.x, 0.02)
    rgb = room.mixed(rgb, accent, line * float(rng.uniform(0.2, 0.9)))
    relief -= 0.01 * line + 0.01 * room.line(room.x, 0.014)
    if vents and rng.random() < 0.6:
        for side in (-1, 1):
            here, radius = room.disc((side * 0.42, 0.62 * TALL), 0.18)
            inside = room.inside(0.15 - radius)[..., None]
            grille = np.clip(1.5 * np.sin(radius * (2 * np.pi / 0.05)), 0, 1)[..., None]
            rgb[here] += (0.10 + 0.12 * grille - rgb[here]) * inside
            relief[here] += 0.02 * inside[..., 0]
    return Fabric(rgb, relief, COLOURS[colour], gloss=0.12)


def window(room: Room, pattern: str = "plain") -> Fabric:
    """Sewn cloth with a clear panel through which the mouth is seen: a stitched frame, haze, reflections."""
    base = cloth(room, pattern)
    wide, tall = float(room.rng.uniform(0.42, 0.62)), float(room.rng.uniform(0.27, 0.36))
    distance = 1 - np.sqrt(np.sqrt((room.x / wide) ** 4 + ((room.y - 0.55 * TALL) / tall) ** 4))
    pane = room.inside(distance * 0.4)
    frame = 0.2 * room.stitches(distance * 0.4 + 0.04, room.x + room.y) + 0.3 * room.line(distance * 0.4, 0.02)
    rgb = room.mixed(base.rgb, np.zeros(3), np.minimum(frame, 1))
    return _glazed(room, replace(base, rgb=rgb), pane)


def clear(room: Room) -> Fabric:
    """A clear plastic mask: all of it a window but its rim."""
    rim = room.dye(str(room.rng.choice(["white", "light-blue", "black", "grey"])))
    base = Fabric(room.coloured(rim), room.wrinkles(0.3), COLOURS["white"])
    return _glazed(room, base, room.inside(room.hem(1.0) - 0.09))


def _glazed(room: Room, base: Fabric, pane: np.ndarray) -> Fabric:
    """Clear plastic where pane (h, w) is 1: what lies behind is seen through haze, fog and reflections."""
    rng = room.rng
    tilt, at = float(rng.uniform(-0.5, 0.5)), rng.uniform(-0.5, 0.5, 2)
    shine = sum(room.line(room.x - a + tilt * (room.y - 1), w) for a, w in zip(at, (0.10, 0.03), strict=True))
    fog = np.clip(room.noise(0.4) * 0.5, 0, 1) * float(rng.uniform(0, 0.5))
    seen = np.clip(rng.uniform(0.06, 0.16) + 0.35 * shine + fog, 0, 0.8)
    rgb = room.mixed(base.rgb, np.full(3, 0.95), pane)
    alpha = 1 + (seen - 1) * pane
    return replace(base, rgb=rgb, relief=base.relief * (1 - 0.8 * pane), gloss=0.1, alpha=alpha.astype(np.float32))


def aged(room: Room, draw: Callable[[Room], Fabric]) -> Fabric:
    """Any fabric after days in a pocket: creased all over, faded, a little soiled, its hem frayed."""
    fabric, rng = draw(room), room.rng
    creases = np.zeros((72, 96), np.uint8)
    for _ in range(int(rng.integers(9, 16))):
        start, turn = rng.uniform(0, (96, 72)), rng.uniform(0, np.pi)
        steps = np.cumsum(rng.normal(0, 3, (6, 2)) + 9 * np.array([np.cos(turn), np.sin(turn)]), axis=0)
        cv2.polylines(creases, [(start + steps - steps.mean(0)).round().astype(np.int32)], False, 255, 1, cv2.LINE_AA)
    ridges = cv2.resize(creases, (room.w, room.h), interpolation=cv2.INTER_LINEAR) * np.float32(1 / 255)
    relief = fabric.relief + room.wrinkles(1.8) + 0.02 * ridges
    fade, soil = float(rng.uniform(0.05, 0.2)), np.clip(room.noise(0.3), 0, 2) * float(rng.uniform(0, 0.07))
    shade = cv2.merge([(1 - soil * k) * (1 - fade) for k in (0.8, 1.0, 1.5)])  # yellowish
    pale = cv2.merge([0.06 * ridges + np.float32(0.62 * fade)] * 3)
    return replace(fabric, rgb=cv2.add(cv2.multiply(fabric.rgb, shade), pale), relief=relief)
