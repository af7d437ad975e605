"""Patterns of printed and woven cloth: a colour (3,) or a picture (h, w, 3), float32 0–1."""

import cv2
import numpy as np

from .room import Room

__all__ = ["PATTERNS"]


def _plain(room: Room) -> np.ndarray:
    return room.any_dye(vary=0.08)


def _two(room: Room, share: np.ndarray) -> np.ndarray:
    """Two colours that differ, mixed by share (h, w)."""
    first = room.any_dye()
    second = max((room.any_dye() for _ in range(5)), key=lambda c: float(np.abs(c - first).sum()))
    share = np.broadcast_to(np.clip(share, 0, 1), (room.h, room.w)).astype(np.float32)
    return cv2.merge([share * float(b - a) + float(a) for a, b in zip(first, second, strict=True)])


def _stripes(room: Room) -> np.ndarray:
    angle, step = room.rng.choice([0, np.pi / 2, np.pi / 4]), float(room.rng.uniform(0.10, 0.32))
    pace = np.float32(2 * np.pi / step)
    along = room.x * np.float32(np.cos(angle)) + room.y * np.float32(np.sin(angle))
    return _two(room, 0.5 + np.sin(along * pace) * np.float32(step / max(0.04, 4 * room.pixel)))


def _checks(room: Room) -> np.ndarray:
    step = float(room.rng.uniform(0.14, 0.4))
    a, b = (
        np.clip(0.5 + np.sin(t * np.float32(2 * np.pi / step)) * np.float32(step / 0.05), 0, 1)
        for t in (room.x, room.y)
    )
    return _two(room, (a + b) / 2)


def _dots(room: Room) -> np.ndarray:
    step = float(room.rng.uniform(0.14, 0.34))
    row = np.floor(room.y / step)
    x = (room.x / step + 0.5 * (row % 2)) % 1 - 0.5
    radius = np.sqrt(x * x + np.square((room.y / step) % 1 - 0.5)) * step
    return _two(room, (room.rng.uniform(0.2, 0.36) * step - radius) / 0.02 + 0.5)


def _floral(room: Room) -> np.ndarray:
    """Flowers of a few kinds, scattered, with leaves."""
    rng = room.rng
    page = _page(room, room.any_dye())
    unit = 1 / room.pixel
    dyes = [_ink(room.any_dye()) for _ in range(3)]
    leaf = _ink(room.dye(str(rng.choice(["green", "olive", "teal"]))))
    for _ in range(int(rng.integers(35, 60))):
        x, y, size = rng.uniform(0, room.w), rng.uniform(0, room.h), rng.uniform(0.03, 0.08) * unit
        petals, colour, turn = int(rng.integers(4, 7)), dyes[int(rng.integers(3))], rng.uniform(0, 6.3)
        if rng.random() < 0.3:
            at, axes = (round(x), round(y)), (max(1, round(1.6 * size)), max(1, round(0.6 * size)))
            cv2.ellipse(page, at, axes, np.degrees(turn), 0, 360, leaf, -1, cv2.LINE_AA)
            continue
        for k in range(petals):
            a = turn + 2 * np.pi * k / petals
            at = round(x + size * np.cos(a)), round(y + size * np.sin(a))
            cv2.circle(page, at, max(1, round(0.7 * size)), colour, -1, cv2.LINE_AA)
        cv2.circle(page, (round(x), round(y)), max(1, round(0.45 * size)), (235, 205, 90), -1, cv2.LINE_AA)
    return _floats(page)


def _camouflage(room: Room) -> np.ndarray:
    sets = (
        [(96, 102, 66), (58, 64, 40), (140, 130, 92), (38, 36, 30)],
        [(150, 152, 156), (92, 96, 102), (52, 54, 60)],
        [(176, 158, 124), (134, 112, 82), (204, 190, 158)],
    )
    tones = sets[int(room.rng.integers(len(sets)))]
    page = _page(room, np.array(tones[0], np.float32) / 255)
    for tone in tones[1:]:
        cv2.copyTo(
            np.full_like(page, tone), ((room.noise(0.22) + 0.5 * room.noise(0.11)) > 0.55).astype(np.uint8), page
        )
    return _floats(page)


def _print(room: Room) -> np.ndarray:
    """Something like a logo: letters, a badge or a sweep on one cheek or in the middle."""
    rng = room.rng
    page, ink = _page(room, room.any_dye()), _ink(room.any_dye())
    x, y = int(room.w * rng.choice([0.32, 0.5, 0.68])), int(room.h * rng.uniform(0.45, 0.6))
    unit, kind = 1 / room.pixel, int(rng.integers(4))
    if kind == 0:
        _letters(page, (x, y), ink, size=rng.uniform(0.2, 0.34) * unit, rng=rng)
    elif kind == 1:
        angles = rng.uniform(0, 6.3) + np.arange(int(rng.integers(3, 9))) * 2.4
        shape = np.stack([x + 0.18 * unit * np.cos(angles), y + 0.18 * unit * np.sin(angles)], 1)
        cv2.fillPoly(page, [shape.round().astype(np.int32)], ink, cv2.LINE_AA)
    elif kind == 2:  # a badge: a disc with letters
        cv2.circle(page, (x, y), max(2, round(0.24 * unit)), ink, -1, cv2.LINE_AA)
        _letters(page, (x, y), _ink(room.any_dye()), size=0.14 * unit, rng=rng, most=3)
    else:  # a sweep across
        t = np.linspace(-1, 1, 13)
        bow = rng.uniform(-0.3, 0.3)
        path = np.stack([x + t * 0.45 * unit, y + (bow * t * t - 0.15 * t) * unit], 1).round().astype(np.int32)
        for k in range(len(path) - 1):
            cv2.line(page, path[k].tolist(), path[k + 1].tolist(), ink, max(1, round(0.012 * k * unit)), cv2.LINE_AA)
    return _floats(page)


def _letters(
    page: np.ndarray,
    at: tuple[int, int],
    ink: tuple[int, ...],
    *,
    size: float,
    rng: np.random.Generator,
    most: int = 5,
) -> None:
    word, scale = "".join(rng.choice(list("ABCEHKLMNOPRSTUVXZ"), int(rng.integers(2, most + 1)))), size / 22
    where = int(at[0] - 10 * scale * len(word)), int(at[1] + size / 2)
    cv2.putText(page, word, where, 0, scale, ink, max(1, round(2.2 * scale)), cv2.LINE_AA)


def _mouth(room: Room) -> np.ndarray:
    """A printed mouth, to fool people: lips closed, a grin with teeth, or a tongue put out; skin or cloth around."""
    rng = room.rng
    ground = room.dye(str(rng.choice(["beige", "brown"])), vary=0.1) if rng.random() < 0.35 else room.any_dye()
    page, unit = _page(room, ground), 1 / room.pixel
    x, y = room.w // 2, int(room.h * rng.uniform(0.52, 0.62))
    wide, tall = rng.uniform(0.28, 0.5) * unit, rng.uniform(0.11, 0.2) * unit
    lips = tuple(int(c) for c in (rng.uniform(130, 210), rng.uniform(30, 90), rng.uniform(40, 90)))
    cv2.fillPoly(page, [_lips(x, y, wide, tall)], lips, cv2.LINE_AA)
    kind = rng.random()
    if kind < 0.6:
        cv2.fillPoly(page, [_lips(x, y, 0.8 * wide, 0.5 * tall)], (242, 240, 232), cv2.LINE_AA)
        for k in range(-3, 4):
            dx = round(k * 0.2 * wide)
            cv2.line(page, (x + dx, round(y - 0.3 * tall)), (x + dx, round(y + 0.35 * tall)), (190, 180, 176), 1)
    elif kind < 0.8:
        cv2.fillPoly(page, [_lips(x, y, 0.8 * wide, 0.55 * tall)], (60, 10, 20), cv2.LINE_AA)
        axes = max(1, round(0.3 * wide)), max(1, round(0.8 * tall))
        cv2.ellipse(page, (x, round(y + 0.5 * tall)), axes, 0, 0, 360, (218, 96, 108), -1, cv2.LINE_AA)
    cv2.line(page, (round(x - 0.8 * wide), y), (round(x + 0.8 * wide), y), (96, 40, 48), max(1, round(0.012 * unit)))
    return _floats(page)


def _lips(x: float, y: float, wide: float, tall: float) -> np.ndarray:
    """An outline of lips with a cupid's bow (24, 2)."""
    t = np.linspace(-1, 1, 12)
    upper = -tall * (1 - t * t) * (0.75 + 0.45 * np.abs(t))
    lower = tall * (1 - t * t)
    points = np.concatenate([np.stack([t, upper], 1), np.stack([t[::-1], lower[::-1]], 1)])
    return (points * (wide, 1) + (x, y)).round().astype(np.int32)


def _page(room: Room, colour: np.ndarray) -> np.ndarray:
    page = np.empty((room.h, room.w, 3), np.uint8)
    page[:] = _ink(colour)
    return page


def _ink(colour: np.ndarray) -> tuple[int, ...]:
    return tuple((colour * 255).astype(int).tolist())


def _floats(page: np.ndarray) -> np.ndarray:
    return page * np.float32(1 / 255)


PATTERNS = {
    "plain": _plain,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "floral": _floral,
    "camouflage": _camouflage,
    "print": _print,
    "mouth": _mouth,
}
