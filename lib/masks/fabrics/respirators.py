"""Respirators: moulded cups, flat folds, KN95; their clips, valves and small print."""

import cv2
import numpy as np

from .room import COLOURS, TALL, WIDE, Fabric, Room

__all__ = ["fold", "kn95", "n95"]


def n95(room: Room, colour: str, *, valve: bool = False) -> Fabric:
    """A moulded cup: embossed rim, metal nose clip, a seam around the dome."""
    rng = room.rng
    radius = np.sqrt(np.square(room.u) + np.square((room.v - 0.5) * 2))
    ring = room.line((radius - 0.86) * 0.9, 0.02)
    relief = 0.006 * room.noise(0.3) + 0.02 * np.clip((radius - 0.8) * -8, 0, 1) - 0.012 * ring
    felt = cv2.resize(rng.standard_normal((96, 128), dtype=np.float32), (room.w, room.h))
    rgb = room.coloured(room.dye(colour, vary=0.02), 0.08 * ring + 0.014 * felt)
    rgb, relief = _clip(room, rgb, relief, metal=rng.random() < 0.7)
    if rng.random() < 0.5:  # a ridge across, as on common cups
        relief = relief + 0.014 * room.line((room.v - 0.40 - 0.10 * room.u**2) * TALL, 0.05)
    rgb = _type(room, rgb, at=(0.0, 0.72) if not valve else (0.45, 0.55), chance=0.6)
    if valve:
        rgb, relief = _valve(room, rgb, relief, at=(0.0, 0.60))
    strap = [(235, 225, 190), (232, 196, 60), (240, 240, 240)][int(rng.integers(3))]
    return Fabric(rgb, relief, strap)


def fold(room: Room, colour: str, *, valve: bool = False) -> Fabric:
    """A flat-fold respirator of three panels with welded edges."""
    relief = room.wrinkles(0.5)
    dark = 0.5 * (1 - room.hem(0.12)) * room.weave(0.12, 90.0)
    for centre, bow in ((0.34, 0.10), (0.68, -0.12)):
        distance = (room.v - centre + bow * (room.u**2 - 0.4)) * TALL
        relief = relief + 0.02 * np.tanh(distance / 0.03) * (1 if centre < 0.5 else -1)
        dark = np.maximum(dark, 0.17 * room.line(distance, 0.012))
    rgb = room.coloured(room.dye(colour, vary=0.02), dark)
    rgb, relief = _clip(room, rgb, relief, metal=room.rng.random() < 0.3)
    rgb = _type(room, rgb, at=(0.0 if not valve else -0.4, 0.5), chance=0.7)
    if valve:
        rgb, relief = _valve(room, rgb, relief, at=(float(room.rng.choice([0.0, 0.4])), 0.52))
    strap = [(240, 240, 240), (232, 196, 60), (90, 120, 170)][int(room.rng.integers(3))]
    return Fabric(rgb, relief, strap if colour == "white" else COLOURS[colour])


def kn95(room: Room, colour: str) -> Fabric:
    """Folded down the middle, edges welded in dashes."""
    rng = room.rng
    seam, side = room.line(room.x, 0.012), np.abs(room.x)
    dark = 0.16 * seam
    for distance, along in (
        (side - 0.07, room.y),
        ((0.93 - np.abs(room.u)) * (WIDE / 2), room.y),
        ((room.v - 0.06) * TALL, room.x),
        ((0.95 - room.v) * TALL, room.x),
    ):
        dark = np.maximum(dark, 0.14 * room.stitches(distance, along, step=0.06))
    bend = (room.v - 0.30 - 0.22 * np.abs(room.u)) * TALL
    relief = room.wrinkles(0.5) - 0.01 * seam + 0.012 * np.tanh(bend / 0.04)
    rgb = room.coloured(room.dye(colour, vary=0.02), np.maximum(dark, 0.08 * room.line(bend, 0.02)))
    rgb, relief = _clip(room, rgb, relief, metal=rng.random() < 0.35)
    rgb = _type(room, rgb, at=(float(rng.choice([-0.5, 0.5])), 0.55), chance=0.7)
    return Fabric(rgb, relief, COLOURS["black"] if colour == "black" else COLOURS["white"])


def _clip(room: Room, rgb: np.ndarray, relief: np.ndarray, *, metal: bool) -> tuple[np.ndarray, np.ndarray]:
    """A nose clip along the upper edge."""
    rows = slice(0, max(1, round(0.16 * room.h)))
    clip = np.exp(-(((room.v[rows] - 0.075) * (TALL / 0.035)) ** 6)) * np.clip(5 - 14 * np.abs(room.u), 0, 1)
    if metal:
        shade = 0.62 + 0.04 * np.sin(room.u * 30)
        rgb[rows] += (shade[..., None] - rgb[rows]) * (0.85 * clip[..., None])
    relief[rows] += 0.015 * clip
    return rgb, relief


def _valve(
    room: Room, rgb: np.ndarray, relief: np.ndarray, *, at: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A round exhalation valve with slots."""
    size = float(room.rng.uniform(0.20, 0.26))
    tone = np.array([(0.9, 0.9, 0.9), (0.75, 0.77, 0.8), (0.2, 0.3, 0.55), (0.75, 0.2, 0.18)], np.float32)
    chosen = tone[int(room.rng.integers(4))]
    here, radius = room.disc((at[0] * WIDE / 2, at[1] * TALL), size + 0.06)
    y = room.y[here[0]] - at[1] * TALL
    inside = room.inside(size - radius)
    slots = np.clip(1.5 * np.sin(y * (2 * np.pi / 0.075)), 0, 1) * (radius < 0.72 * size)
    face = chosen * (1 - 0.45 * slots[..., None])
    rim = room.line(radius - size, 0.015)
    rgb[here] += (face - rgb[here]) * inside[..., None]
    rgb[here] *= 1 - 0.35 * rim[..., None]
    relief[here] += 0.05 * inside - 0.02 * slots
    return rgb, relief


def _type(room: Room, rgb: np.ndarray, *, at: tuple[float, float], chance: float) -> np.ndarray:
    """Small lines of type, as makers print them."""
    rng = room.rng
    if rng.random() > chance or room.pixel > 0.03:
        return rgb
    size = 0.085 / room.pixel / 22
    x, y = int((at[0] + 1) / 2 * room.w - 84 * size), int(at[1] * room.h)
    words, rows, strength = (
        "".join(rng.choice(list("FPNRKABC0129 "), 9)),
        int(rng.integers(1, 3)),
        rng.uniform(0.25, 0.5),
    )
    top, bottom = max(0, y - round(30 * size)), min(room.h, y + round(50 * size))
    ink = np.zeros((bottom - top, room.w), np.uint8)
    for row in range(rows):
        cv2.putText(ink, words[row:], (x, int(y - top + row * 32 * size)), 0, size, 255, 1, cv2.LINE_AA)
    pale = 0.75 if rgb[y, min(max(x, 0), room.w - 1)].mean() < 0.3 else 0.0  # white type on black
    rgb[top:bottom] += (pale - rgb[top:bottom]) * (ink * np.float32(strength / 255))[..., None]
    return rgb
