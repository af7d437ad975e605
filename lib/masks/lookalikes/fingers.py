"""The parts of a hand: fingers, thumb, knuckles, nails and creases, and the arm that it hangs on."""

from dataclasses import dataclass

import cv2
import numpy as np

from .place import Place, cloth, floats, noise, srgb
from .relief import FLESH, Relief

__all__ = ["Drawn", "Pose", "arm", "details", "lay", "nail", "skin_of", "wrinkles"]

# Across the hand (towards the thumb), along it from the wrist, finger's length: index to little finger, in units.
_FINGERS = ((0.41, 1.30, 1.08), (0.14, 1.37, 1.22), (-0.13, 1.30, 1.13), (-0.38, 1.16, 0.90))
_BONES = (0.46, 0.30, 0.24)
_SLEEVE = 2


@dataclass(frozen=True)
class Pose:
    """A hand's middle before the camera and its axes: along the fingers, to the thumb, off the back."""

    middle: np.ndarray
    along: np.ndarray
    thumb: np.ndarray
    back: np.ndarray
    size: float
    side: int

    def of(self, points: object) -> np.ndarray:
        """Hand coordinates (n, 3) of along, thumb, back → before the camera (n, 3)."""
        return self.middle + self.size * (np.asarray(points, float) @ np.stack([self.along, self.thumb, self.back]))


class Drawn:
    """What is drawn upon the hand after its form: creases and nails, as lines and outlines before the camera."""

    def __init__(self) -> None:
        self.creases: list[np.ndarray] = []
        self.nails: list[np.ndarray] = []


def lay(
    relief: Relief, pose: Pose, skin: np.ndarray, *, curl: np.ndarray, spread: float, rng: np.random.Generator
) -> None:
    """Back, fingers and thumb of one hand; curl (5, 3) in degrees: how each joint bends, the thumb last."""
    drawn = Drawn()
    reddish = skin * floats([1.03, 0.96, 0.95])
    start = -1.45  # the wrist, from the middle of the hand
    for across, along, _ in _FINGERS:
        bone = [(start, across * 0.72, 0.0), (start + 0.55 * along, across * 0.9, 0.04), (start + along, across, 0.02)]
        relief.tube(pose.of(bone), np.array([0.23, 0.22, 0.155]) * pose.size, skin, flat=0.55)
    relief.tube(
        pose.of([(start - 0.35, 0.0, 0.0), (start + 0.45, 0.0, 0.02)]),
        np.array([0.36, 0.38]) * pose.size,
        skin,
        flat=0.5,
    )
    web = [(start + 0.15, 0.28, -0.04), (start + 0.7, 0.5, -0.04), (start + 1.1, 0.40, -0.04)]
    relief.tube(pose.of(web), np.array([0.26, 0.20, 0.12]) * pose.size, skin, flat=0.6)
    relief.soften(0.10)
    _sinews(relief, pose, start)
    for k, (across, along, length) in enumerate(_FINGERS):
        fan = np.radians(spread * (1.5 - k) + rng.normal(0, 1.5))
        _finger(
            relief,
            pose,
            (start + along, across, 0.0),
            length=length,
            fan=fan,
            bend=curl[k],
            skin=(skin, reddish),
            drawn=drawn,
        )
    _thumb(relief, pose, start, bend=curl[4], skin=(skin, reddish), drawn=drawn)
    details(relief, drawn, skin, rng=rng)


def _sinews(relief: Relief, pose: Pose, start: float) -> None:
    """Knuckles and the sinews that run to them, seen on the back of a hand."""
    if pose.back[2] < 0.2:
        return
    lines = [pose.of([(start + 0.5, a * 0.8, 0), (start + b - 0.12, a * 0.98, 0)]) for a, b, _ in _FINGERS]
    knobs = [pose.of([(start + b - 0.06, a - 0.01, 0), (start + b + 0.03, a + 0.01, 0)]) for a, b, _ in _FINGERS]
    field = 0.4 * relief.lines(lines, 0.07 * pose.size) + relief.lines(knobs, 0.17 * pose.size)
    relief.bump(cv2.GaussianBlur(field, (0, 0), max(0.4, 0.045 * relief.res)), 0.07)


def skin_of(place: Place, rng: np.random.Generator) -> np.ndarray:
    """The face's own tone; hands are a little darker, lighter or redder than it."""
    return place.skin * floats((1 + rng.normal(0.06, 0.08)) * (1 + rng.normal(0, 0.012 * place.seen.colourful, 3)))


def _finger(
    relief: Relief,
    pose: Pose,
    root: tuple,
    *,
    length: float,
    fan: float,
    bend: np.ndarray,
    skin: tuple[np.ndarray, np.ndarray],
    drawn: Drawn,
) -> None:
    radii = np.array([0.148, 0.134, 0.121, 0.094]) * pose.size
    joints, angle = [np.array(root, float)], 0.0
    for bone, turn in zip(_BONES, bend, strict=True):
        angle += np.radians(turn)
        step = np.array([np.cos(angle) * np.cos(fan), np.sin(fan) * np.cos(angle), -np.sin(angle)])
        joints.append(joints[-1] + bone * length * step)
    joints[-1] = joints[-1] - 0.06 * length * (joints[-1] - joints[-2])
    line = pose.of(joints)
    fine = np.concatenate([line[:1], (line[:-1] + line[1:]) / 2, line[1:]])[[0, 1, 4, 2, 5, 3, 6]]
    thin = np.interp(np.arange(7) / 2, np.arange(4), radii) * (1, 0.94, 1.0, 0.93, 1.0, 0.95, 1.0)
    relief.tube(fine, thin, skin[0], gloss=0.03)
    relief.tube(fine[5:], thin[5:] * 1.002, skin[1], gloss=0.03)
    off = np.array(pose.back) if abs(pose.back[2]) > 0.2 else np.array([0, 0, 1.0])
    for at, r in ((fine[2], radii[1]), (fine[4], radii[2])):
        wrinkles(drawn, at, line[2] - line[1], r=r)
    end = line[-1] - line[-2]
    facing = off[2] * np.cos(angle) + float(pose.along[2]) * np.sin(angle)
    if facing > 0.25:
        drawn.nails.append(nail(line[-1] - 0.1 * end, end, r=radii[3], facing=facing))


def wrinkles(drawn: Drawn, at: np.ndarray, way: np.ndarray, *, r: float) -> None:
    flat = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-6)
    side = np.array([-flat[1], flat[0]])
    for off, wide in ((-0.28, 0.5), (0.0, 0.62), (0.28, 0.5)):
        middle = at[:2] + flat * r * off
        drawn.creases.append(
            np.array([middle - side * r * wide, middle + flat * r * off * 0.4, middle + side * r * wide])
        )


def nail(at: np.ndarray, way: np.ndarray, *, r: float, facing: float) -> np.ndarray:
    flat = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-6)
    side = np.array([-flat[1], flat[0]])
    turn = np.linspace(0, 2 * np.pi, 14)
    round_ = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.7
    return at[:2] + 0.95 * r * round_[:, None] * flat * min(1.0, facing + 0.2) + 0.62 * r * np.sin(turn)[:, None] * side


def _thumb(
    relief: Relief, pose: Pose, start: float, *, bend: np.ndarray, skin: tuple[np.ndarray, np.ndarray], drawn: Drawn
) -> None:
    """bend: how far it stands off sideways, and how it goes under the palm (degrees)."""
    out, under = np.radians(bend[0]), np.radians(bend[1])
    joints, angle = [np.array([start + 0.25, 0.33, -0.06])], out
    for bone in (0.62, 0.50, 0.40):
        step = np.array([np.cos(angle), np.sin(angle), -np.sin(under)])
        joints.append(joints[-1] + bone * step)
        angle -= np.radians(bend[2])
    line, radii = pose.of(joints), np.array([0.25, 0.18, 0.15, 0.115]) * pose.size
    relief.tube(line, radii, skin[0], gloss=0.03)
    wrinkles(drawn, line[2], line[3] - line[2], r=radii[2])
    if pose.back[2] > 0.3:
        drawn.nails.append(nail(line[-1], line[-1] - line[-2], r=radii[3], facing=0.7))


def details(relief: Relief, drawn: Drawn, skin: np.ndarray, *, rng: np.random.Generator) -> None:
    """Creases, nails, and the skin's own mottle."""
    mottle = noise((relief.h, relief.w), (relief.h / relief.res * 5, relief.w / relief.res * 5), rng)
    relief.albedo *= cv2.merge([1 + 0.02 * mottle, 1 + 0.035 * mottle, 1 + 0.035 * mottle])
    dark = relief.lines(drawn.creases, 0.022)
    spots = dark > 0
    relief.albedo[spots] *= 1 - dark[spots, None] * floats([0.16, 0.24, 0.26]) * floats(rng.uniform(0.5, 1.2))
    painted = rng.random() < 0.12
    polish = relief.place.dyed(srgb(*rng.choice([(170, 20, 40), (60, 10, 30), (225, 150, 160)])))
    colour = polish if painted else skin * floats([1.06, 1.02, 1.04]) + 0.02 * floats([1, 0.9, 0.9])
    nails = relief.filled(drawn.nails)
    rim = cv2.GaussianBlur(nails, (0, 0), max(0.4, 0.02 * relief.res))
    spots = rim > 0.02
    share = nails[spots, None] * np.float32(0.9 if painted else 0.65)
    shade = 1 - 0.5 * np.clip(rim[spots, None] - nails[spots, None], 0, 1)
    relief.albedo[spots] = (relief.albedo[spots] + (floats(colour) - relief.albedo[spots]) * share) * shade
    relief.gloss[spots] = np.maximum(relief.gloss[spots], nails[spots] * np.float32(0.16))


def arm(
    relief: Relief,
    wrist: np.ndarray,
    away: np.ndarray,
    *,
    skin: np.ndarray,
    rng: np.random.Generator,
    size: float,
    side: int,
) -> None:
    """Wrist and forearm: they go on from the hand (away from it) and leave downwards, often in a sleeve."""
    away = away / max(float(np.linalg.norm(away)), 1e-6) * (1, 1, 0.3)
    aim = np.array([side * rng.uniform(0.1, 0.9), rng.uniform(0.9, 1.4), -0.1])  # the elbow hangs below and outside
    way = 0.45 * away + aim / np.linalg.norm(aim)
    way /= np.linalg.norm(way)
    first = wrist + away * 0.35 * size
    elbow = first + way * 3.4
    line = np.array([wrist - 0.3 * away * size, wrist, first, first + way * 1.4, elbow])
    relief.mark = FLESH
    relief.tube(line, np.array([0.36, 0.365, 0.36, 0.45, 0.56]) * size, skin, flat=0.5)
    if rng.random() < 0.7:
        begin, relief.mark = rng.uniform(0.0, 1.2), _SLEEVE
        back = elbow + (side * 0.6, -1.2, -0.6)
        sleeve = np.array([first + way * begin, first + way * (begin + 0.8), elbow, back]) + (0, 0, 0.1)
        wide = np.array([0.46, 0.52, 0.66, 0.72]) * size * rng.uniform(1, 1.15)
        relief.tube(sleeve, wide, relief.place.dyed(cloth(rng)), flat=0.8)
        folds = noise((relief.h, relief.w), (relief.h / relief.res * 2.5, relief.w / relief.res * 2.5), rng)
        relief.bump(folds * (relief.which == _SLEEVE), 0.05)
    relief.mark = FLESH
