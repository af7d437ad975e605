"""Things held before a face: phones, cups and microphones, with the hand that holds them."""

import numpy as np

from . import hands
from .place import Place, floats, noise, srgb
from .relief import Relief

__all__ = ["cup", "microphone", "phone"]

_CASES: tuple[tuple[int, int, int], ...] = (
    (18, 18, 20),
    (28, 30, 36),
    (60, 62, 66),
    (205, 206, 208),
    (235, 235, 236),
    (180, 40, 50),
    (40, 70, 120),
)
_CASES += ((225, 180, 185), (90, 130, 110), (215, 190, 120), (70, 50, 90))
_MUGS: tuple[tuple[int, int, int], ...] = (
    (240, 240, 236),
    (240, 240, 236),
    (40, 42, 46),
    (170, 40, 40),
    (40, 70, 120),
    (230, 200, 90),
    (90, 130, 110),
)
_MUGS += ((200, 170, 140), (120, 170, 190))


def _colour(place: Place, choices: tuple, rng: np.random.Generator) -> np.ndarray:
    colour = np.array(choices[rng.integers(len(choices))], float) + rng.normal(0, 6, 3)
    return place.dyed(srgb(*np.clip(colour, 8, 245)))


def _turned(place: Place, *, roll: float, pitch: float, yaw: float, follow: float = 0.6) -> np.ndarray:
    """Axes (3, 3) of a thing in rows: right, down, towards the camera; it follows the head's turn by a share."""
    a, b, c = np.radians([roll, pitch, yaw])
    spin = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    turn = np.array([[np.cos(c), 0, -np.sin(c)], [0, 1, 0], [np.sin(c), 0, np.cos(c)]])
    own = spin @ nod @ turn
    head = place.fit.rotation.T * follow + np.eye(3) * (1 - follow)
    u, _, vt = np.linalg.svd(head)
    return own @ (u @ vt)


def _relief(place: Place, about: np.ndarray, side: int) -> Relief:
    """A picture with room for a thing (points about it), a hand on this side and its arm."""
    low, high = about[:, :2].min(0), about[:, :2].max(0)
    arm = np.array([[side * 2.4, 3.2], [side * 1.4, -0.2]]) + (low + high) / 2
    return Relief(place, np.minimum(low, arm.min(0)) - 0.2, np.maximum(high, arm.max(0)) + 0.2)


def phone(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A phone before the mouth, its back to the camera, or at the cheek as people call."""
    side, calls = int(rng.choice([-1, 1])), bool(rng.random() < 0.35)
    wide, high = 0.53 * rng.uniform(0.95, 1.1), 1.08 * rng.uniform(0.95, 1.1)
    if calls:
        middle = place.at([(side * rng.uniform(0.75, 0.95), rng.uniform(0.65, 0.95), 0.95)])[0] + (0, 0, 0.3)
        roll, yaw = side * rng.uniform(5, 28), side * rng.uniform(25, 60)
    else:
        middle = place.at([(rng.normal(0, 0.18), rng.uniform(0.95, 1.55), 1.6)])[0] + (0, 0, 0.35)
        roll, yaw = float(rng.choice([0, 0, 90, -90]) + rng.normal(0, 8)), rng.normal(0, 10)
    axes = _turned(place, roll=roll, pitch=rng.normal(-6, 8), yaw=yaw)
    turn = np.linspace(0, 2 * np.pi, 40)
    power = 0.28
    rim = np.stack([np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power * wide,
                    np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power * high], axis=1)  # fmt: skip
    flat = rim @ axes[:2]
    colour = _colour(place, _CASES, rng)
    relief = _relief(place, middle + flat, side)
    for deep, shade in ((-0.06, 0.5), (-0.03, 0.6), (0.0, 0.7)):
        relief.plate(middle + flat + axes[2] * deep, axes[2] * 0.6 + (0, 0.4, 0.2), colour * shade + 0.01)
    relief.plate(middle + flat * 0.97 + axes[2] * 0.03, axes[2], colour, gloss=float(rng.choice([0.0, 0.1, 0.3])))
    _lenses(relief, middle + axes[2] * 0.04, axes, wide=wide, high=high, rng=rng)
    along, out = axes[1], axes[0]
    if abs(along[0]) > abs(along[1]):  # lies on its side: held at its end
        along, out, wide, high = out, along, high, wide
    out = out * side * (1 if out[0] > 0 else -1)
    along = -along if along[1] > 0 else along
    centre = middle + out * wide * 0.45 - along * high * rng.uniform(-0.1, 0.4)
    hands.grip(relief, centre, along, across=out, rng=rng, radius=wide * 0.6, side=side)
    return [relief], {"side": side, "roll": roll, "calls": float(calls)}


def _lenses(
    relief: Relief, middle: np.ndarray, axes: np.ndarray, *, wide: float, high: float, rng: np.random.Generator
) -> None:
    turn = np.linspace(0, 2 * np.pi, 20)[:, None]
    count, r = int(rng.integers(1, 4)), rng.uniform(0.055, 0.10)
    for k in range(count):
        at = (
            middle
            - axes[0] * (wide - 0.2 - 0.24 * (k == 2))
            - axes[1] * (high - 0.2 - 0.24 * (k == 1) - 0.12 * (k == 2))
        )
        ring = np.cos(turn) * axes[0] + np.sin(turn) * axes[1]
        relief.plate(at + ring * r * 1.2, axes[2], srgb(70, 70, 74))
        relief.plate(at + ring * r + axes[2] * 0.01, axes[2], srgb(12, 12, 18), gloss=0.4)


def cup(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A mug or paper cup at the lips, tipped as people drink."""
    side, paper = int(rng.choice([-1, 1])), bool(rng.random() < 0.5)
    tip = float(rng.uniform(10, 75))  # how far the base has come up towards the camera
    rim = place.at([(rng.normal(0, 0.08), rng.uniform(1.0, 1.2), 1.55)])[0]
    lean = np.radians(rng.normal(0, 8) + side * 6)
    t = np.radians(tip)
    axis = np.array([np.sin(lean), np.cos(lean) * np.cos(t), np.sin(t)])  # from the rim to the base
    axis = place.fit.rotation @ axis * 0.6 + axis * 0.4
    axis /= np.linalg.norm(axis)
    top, base = (0.62, 0.44) if paper else (0.60, float(rng.uniform(0.5, 0.6)))
    length = float(rng.uniform(1.5, 1.9) if paper else rng.uniform(1.25, 1.5))
    rim = rim + axis * 0.05 + (0, 0, 0.35)
    size = rng.uniform(0.92, 1.08)
    colour = _colour(place, ((240, 240, 236), (240, 240, 236), (200, 165, 125), (30, 80, 60)) if paper else _MUGS, rng)
    ends = np.array([rim, rim + axis * length * size])
    relief = _relief(place, np.concatenate([ends - 0.8, ends + 0.8]), side)
    _barrel(relief, ends, (top * size, base * size), colour=colour, gloss=0.02 if paper else 0.25)
    if paper:
        _lid(relief, ends, (top * size, base * size), rng=rng)
    elif rng.random() < 0.7:
        _handle(relief, ends, side=-side if rng.random() < 0.7 else side, radius=top * size, colour=colour)
    if rng.random() < 0.4:
        _print(relief, place, rng)
    flat = np.cross(axis, (0, 0, 1.0))
    flat = flat / max(float(np.linalg.norm(flat)), 1e-6)
    out = flat * side * (1 if flat[0] > 0 else -1)
    centre = rim + axis * length * 0.5 * size + np.array([0, 0, 1.0]) * (top + base) / 2 * size * np.cos(t)
    hands.grip(
        relief,
        centre + out * 0.15,
        -axis * (1, 1, 0.3),
        across=out,
        rng=rng,
        radius=(top + base) / 2 * size * 0.8,
        side=side,
    )
    return [relief], {"side": side, "tip": tip, "paper": float(paper)}


def _lid(relief: Relief, ends: np.ndarray, radii: tuple[float, float], *, rng: np.random.Generator) -> None:
    """A paper cup's lid, and often the cardboard round its middle."""
    way, tone = ends[1] - ends[0], float(rng.choice([0.75, 0.02, 0.75]))
    lid = ends[0] + way / np.linalg.norm(way) * np.array([[-0.12], [0.03]])
    _barrel(relief, lid, (radii[0] * 0.97, radii[0] * 1.05), colour=np.full(3, tone), gloss=0.05)
    if rng.random() < 0.5:
        upper, lower = (1.015 * (radii[0] + (radii[1] - radii[0]) * s) for s in (0.3, 0.75))
        _barrel(relief, ends[0] + way * np.array([[0.3], [0.75]]), (upper, lower), colour=srgb(150, 108, 70), gloss=0)


def _barrel(relief: Relief, ends: np.ndarray, radii: tuple[float, float], *, colour: np.ndarray, gloss: float) -> None:
    """A straight round body between two discs, its base's disc seen where it looks at the camera."""
    axis = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-6)
    one = np.cross(axis, (0.0, 0.0, 1.0))
    one = one / max(float(np.linalg.norm(one)), 1e-6)
    two = np.cross(one, axis)
    turn = np.linspace(0, 2 * np.pi, 49)[:, None]
    ring = np.cos(turn) * one + np.sin(turn) * two
    first, last = ends[0] + radii[0] * ring, ends[1] + radii[1] * ring
    for k in np.argsort((ring @ (0, 0, 1.0))[:-1]).tolist():
        normal = (ring[k] + ring[k + 1]) / 2
        if normal[2] > -0.1:
            strip = np.array([first[k], first[k + 1], last[k + 1], last[k]])
            relief.plate(strip, normal, colour, gloss=gloss)
    if axis[2] > 0.05:
        relief.plate(last + axis * 0.01, axis, colour * 0.95, gloss=gloss)
        relief.plate(ends[1] + (last - ends[1]) * 0.86 + axis * 0.015, axis, colour * 0.72, gloss=gloss)
        relief.plate(ends[1] + (last - ends[1]) * 0.80 + axis * 0.02, axis, colour * 0.85, gloss=gloss)


def _handle(relief: Relief, ends: np.ndarray, *, side: int, radius: float, colour: np.ndarray) -> None:
    t = np.linspace(-1, 1, 9)[:, None]
    middle, way = ends.mean(0), (ends[1] - ends[0]) * 0.33
    out = np.array([side, 0, 0.1])
    line = middle + way * t + out * (radius * 0.9 + 0.42 * np.sqrt(np.maximum(1 - t**2, 0)))
    relief.tube(line, np.full(9, 0.085), colour, gloss=0.2)


def _print(relief: Relief, place: Place, rng: np.random.Generator) -> None:
    """Something printed on what stands in the picture: blots of one colour."""
    field = noise((relief.h, relief.w), (relief.h / relief.res * 3, relief.w / relief.res * 3), rng)
    share = np.clip((field - 0.8) * 6, 0, 1)[..., None]
    relief.albedo += (place.dyed(srgb(*rng.uniform(20, 200, 3))) - relief.albedo) * floats(share)


def microphone(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A microphone before mouth or chin, held from below."""
    side, size = int(rng.choice([-1, 1])), float(rng.uniform(0.85, 1.25))
    head = place.at([(rng.normal(0, 0.25), rng.uniform(1.05, 1.6), 1.7)])[0] + (0, 0, 0.45)
    way = np.array([side * rng.uniform(-0.1, 0.7), 1.0, rng.uniform(-0.2, 0.5)])
    way /= np.linalg.norm(way)
    r, foam = 0.37 * size, bool(rng.random() < 0.4)
    end = head + way * 2.6 * size
    relief = _relief(place, np.array([head - r, head + r, end]), side)
    dark = place.dyed(srgb(*(rng.uniform(14, 40) + rng.normal(0, 2, 3))))
    relief.tube([head + way * r * 0.7, end], np.array([0.24, 0.16]) * size, dark, gloss=0.15)
    bright = place.dyed(srgb(*rng.choice([(28, 28, 30), (90, 92, 96), (150, 152, 156), (180, 40, 40), (40, 70, 150)])))
    ball = [head - way * 0.08, head + way * (0.25 if foam else 0.12)]
    relief.mark = 3
    relief.tube(
        ball, np.array([r, r * 0.96]), bright if not foam or rng.random() < 0.4 else dark, gloss=0.0 if foam else 0.12
    )
    here = (relief.which == 3).astype(np.float32)
    if foam:
        relief.bump(noise(here.shape, (relief.h / relief.res * 22, relief.w / relief.res * 22), rng) * here, 0.03)
    else:
        mesh = np.sin(relief.x * 95) * np.sin(relief.y * 95)
        relief.albedo *= 1 - 0.35 * (here * (mesh > 0.15))[..., None]
        relief.mark = 0
        relief.tube(
            [head + way * r * 0.55, head + way * r * 0.85], np.array([0.30, 0.28]) * size, dark + 0.03, gloss=0.3
        )
    relief.mark = 0
    if rng.random() < 0.8:
        out = np.cross(way, (0, 0, 1.0))
        out = out / np.linalg.norm(out)
        out = out * side * (1 if out[0] > 0 else -1)
        centre = head + way * rng.uniform(1.1, 1.5) * size + (0, 0, 0.2)
        hands.grip(relief, centre + out * 0.12, -way, across=out, rng=rng, radius=0.2 * size, side=side)
    return [relief], {"side": side, "size": size, "foam": float(foam)}
