"""Coverings that are no masks by themselves: a tube of stretch cloth, a folded bandana, a knitted scarf."""

import numpy as np

from .patterns import PATTERNS
from .room import COLOURS, TALL, Fabric, Room

__all__ = ["bandana", "gaiter", "scarf"]


def gaiter(room: Room) -> Fabric:
    """A tube of stretch cloth: plain or printed, taut over the nose, in soft rings towards the neck."""
    pattern = str(room.rng.choice(["plain", "plain", "camouflage", "print", "stripes"]))
    rings = np.clip((room.v - 0.45) * 2, 0, 1) * room.noise((1.4, 0.14))
    relief = room.wrinkles(0.7) + 0.022 * rings
    dark = 0.12 * room.line((room.v - 0.03) * TALL, 0.012)
    return Fabric(room.coloured(PATTERNS[pattern](room), dark), relief, COLOURS["black"])


def bandana(room: Room) -> Fabric:
    """A square folded into a triangle: a printed border along the rim, folds that fall from both sides."""
    pattern = str(room.rng.choice(["floral", "dots", "plain", "checks"]))
    relief = room.wrinkles(1.6) + 0.05 * np.sin(7 * room.v + 3 * np.abs(room.u)) * (1 - room.v) * np.abs(room.u)
    border = room.line((room.v - 0.90) * TALL, 0.03) + room.line((room.v - 0.03) * TALL, 0.012)
    rgb = room.coloured(PATTERNS[pattern](room), 0.1 * room.line((room.v - 0.06) * TALL, 0.01))
    rgb = room.mixed(rgb, room.any_dye(), 0.8 * np.minimum(border, 1) + 0 * room.u)
    return Fabric(rgb, relief + 0 * room.u, COLOURS["black"])


def scarf(room: Room) -> Fabric:
    """Wound wool: deep folds that run round the neck, knitted ribs, plain or checked."""
    rng = room.rng
    colour = PATTERNS[str(rng.choice(["plain", "plain", "plain", "checks", "stripes"]))](room)
    bend = 0.5 * room.noise((1.8, 0.7)) + np.float32(rng.uniform(-1.5, 1.5)) * room.x
    wave = np.sin(room.y * np.float32(rng.uniform(9, 14)) + 1.6 * bend + 0.8 * room.noise((0.9, 0.3)))
    turns = np.abs(wave)  # rounded rolls with sharp valleys between
    relief = 0.07 * turns + room.wrinkles(0.8) + room.weave(0.005, 80.0)
    dark = 0.42 * np.square(1 - turns) + 0.04 * np.clip(room.noise(0.05), 0, 1)
    return Fabric(room.coloured(colour, dark), relief, COLOURS["black"])
