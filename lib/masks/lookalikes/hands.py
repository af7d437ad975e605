"""Hands before a face: open, in two, as a fist, or round a thing that they hold."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .relief import Place, Relief, floats, noise, srgb

__all__ = ["Pose", "cloth", "fist", "grip", "hand", "joined"]

# Across the hand (towards the thumb), along it from the wrist, finger's length: index to little finger, in units.
_FINGERS = ((0.41, 1.30, 1.08), (0.14, 1.37, 1.22), (-0.13, 1.30, 1.13), (-0.38, 1.16, 0.90))
_BONES = (0.46, 0.30, 0.24)
SLEEVE = 2
_SLEEVES = ((38, 38, 42), (70, 80, 110), (150, 150, 152), (225, 225, 222), (120, 40, 44), (64, 78, 60), (190, 175, 150))
_SLEEVES += ((40, 55, 95), (90, 70, 60), (175, 95, 105), (60, 110, 140), (25, 25, 28))


@dataclass(frozen=True)
class Pose:
    """Where a hand is (its middle, before the camera) and how its axes lie: along fingers, to the thumb, off the back."""

    middle: np.ndarray
    along: np.ndarray
    thumb: np.ndarray
    back: np.ndarray
    size: float
    side: int

    def of(self, points: object) -> np.ndarray:
        """Hand coordinates (n, 3) of along, thumb, back → before the camera (n, 3)."""
        return self.middle + self.size * (np.asarray(points, float) @ np.stack([self.along, self.thumb, self.back]))


def _posed(
    place: Place,
    middle: np.ndarray,
    *,
    angle: float,
    side: int,
    size: float,
    tilt: float = 0.0,
    twist: float = 0.0,
    palm: bool = False,
) -> Pose:
    """A hand in the head's own plane: angle of the fingers above the horizontal in degrees, side −1 from the left.

    tilt lifts the fingers' side towards the camera, twist the thumb's. palm: the palm looks at the camera.
    """
    a, t, w = np.radians([angle, tilt, twist])
    along = np.array([-side * np.cos(a), -np.sin(a), 0])
    thumb = np.array([side * np.sin(a), -np.cos(a), 0]) * (-1 if palm else 1)
    back = np.array([0, 0, 1.0])
    along, back = along * np.cos(t) + back * np.sin(t), back * np.cos(t) - along * np.sin(t)
    thumb, back = thumb * np.cos(w) + back * np.sin(w), back * np.cos(w) - thumb * np.sin(w)
    turn = place.fit.rotation
    return Pose(middle, turn @ along, turn @ thumb, turn @ back, size, side)


def cloth(rng: np.random.Generator) -> np.ndarray:
    """The linear colour of a piece of clothing."""
    colour = np.array(_SLEEVES[rng.integers(len(_SLEEVES))], float) + rng.normal(0, 10, 3)
    return srgb(*np.clip(colour, 12, 240))


class _Drawn:
    """What is drawn upon the hand after its form: creases and nails, as lines and outlines before the camera."""

    def __init__(self) -> None:
        self.creases: list[np.ndarray] = []
        self.nails: list[np.ndarray] = []


def _set(relief: Relief, pose: Pose, skin: np.ndarray, *, curl: np.ndarray, spread: float, rng: np.random.Generator) -> None:
    """Back, fingers and thumb of one hand; curl (5, 3) in degrees: how each joint bends, the thumb last."""
    drawn = _Drawn()
    reddish = skin * floats([1.03, 0.96, 0.95])
    start = -1.45  # the wrist, from the middle of the hand
    for across, along, _ in _FINGERS:
        bone = [(start, across * 0.72, 0.0), (start + 0.55 * along, across * 0.9, 0.04), (start + along, across, 0.02)]
        relief.tube(pose.of(bone), np.array([0.23, 0.22, 0.155]) * pose.size, skin, flat=0.55)
    web = [(start + 0.15, 0.28, -0.04), (start + 0.7, 0.5, -0.04), (start + 1.1, 0.40, -0.04)]
    relief.tube(pose.of(web), np.array([0.26, 0.20, 0.12]) * pose.size, skin, flat=0.6)
    relief.soften(0.07)
    for k, (across, along, length) in enumerate(_FINGERS):
        fan = np.radians(spread * (1.5 - k) + rng.normal(0, 1.5))
        _finger(relief, pose, (start + along, across, 0.0), length, fan, curl[k], skin=(skin, reddish), drawn=drawn)
    _thumb(relief, pose, start, curl[4], skin=(skin, reddish), drawn=drawn)
    _details(relief, drawn, skin, rng)


def _skin(place: Place, rng: np.random.Generator) -> np.ndarray:
    """The face's own tone; hands are a little darker, lighter or redder than it."""
    return place.skin * floats((1 + rng.normal(0.06, 0.08)) * (1 + rng.normal(0, 0.012, 3)))


def _finger(
    relief: Relief,
    pose: Pose,
    root: tuple,
    length: float,
    fan: float,
    bend: np.ndarray,
    *,
    skin: tuple[np.ndarray, np.ndarray],
    drawn: _Drawn,
    thick: float = 1.0,
) -> None:
    radii = np.array([0.148, 0.134, 0.121, 0.094]) * pose.size * thick
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
        _wrinkles(drawn, at, line[2] - line[1], r)
    end = line[-1] - line[-2]
    facing = off[2] * np.cos(angle) + float(pose.along[2]) * np.sin(angle)
    if facing > 0.25:
        drawn.nails.append(_nail(line[-1] - 0.1 * end, end, radii[3], facing))


def _wrinkles(drawn: _Drawn, at: np.ndarray, way: np.ndarray, r: float) -> None:
    flat = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-6)
    side = np.array([-flat[1], flat[0]])
    for off, wide in ((-0.28, 0.5), (0.0, 0.62), (0.28, 0.5)):
        middle = at[:2] + flat * r * off
        drawn.creases.append(np.array([middle - side * r * wide, middle + flat * r * off * 0.4, middle + side * r * wide]))


def _nail(at: np.ndarray, way: np.ndarray, r: float, facing: float) -> np.ndarray:
    flat = way[:2] / max(float(np.linalg.norm(way[:2])), 1e-6)
    side = np.array([-flat[1], flat[0]])
    turn = np.linspace(0, 2 * np.pi, 14)
    round_ = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.7
    return at[:2] + 0.95 * r * round_[:, None] * flat * min(1.0, facing + 0.2) + 0.62 * r * np.sin(turn)[:, None] * side


def _thumb(
    relief: Relief, pose: Pose, start: float, bend: np.ndarray, *, skin: tuple[np.ndarray, np.ndarray], drawn: _Drawn
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
    _wrinkles(drawn, line[2], line[3] - line[2], radii[2])
    if pose.back[2] > 0.3:
        drawn.nails.append(_nail(line[-1], line[-1] - line[-2], radii[3], 0.7))


def _details(relief: Relief, drawn: _Drawn, skin: np.ndarray, rng: np.random.Generator) -> None:
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


def _arm(relief: Relief, wrist: np.ndarray, away: np.ndarray, skin: np.ndarray, rng: np.random.Generator, *, size: float, side: int) -> None:
    """Wrist and forearm: they go on from the hand (away from it) and leave downwards, often in a sleeve."""
    away = away / max(float(np.linalg.norm(away)), 1e-6) * (1, 1, 0.3)
    aim = np.array([side * rng.uniform(0.1, 0.9), rng.uniform(0.9, 1.4), -0.1])  # the elbow hangs below and outside
    way = 0.45 * away + aim / np.linalg.norm(aim)
    way /= np.linalg.norm(way)
    first = wrist + away * 0.35 * size
    elbow = first + way * 3.4
    line = np.array([wrist - 0.3 * away * size, wrist, first, first + way * 1.4, elbow])
    relief.tube(line, np.array([0.38, 0.365, 0.36, 0.45, 0.56]) * size, skin, flat=0.7)
    if rng.random() < 0.7:
        begin, relief.mark = rng.uniform(0.0, 1.2), SLEEVE
        back = elbow + (side * 0.6, -1.2, -0.6)
        sleeve = np.array([first + way * begin, first + way * (begin + 0.8), elbow, back]) + (0, 0, 0.1)
        wide = np.array([0.46, 0.52, 0.66, 0.72]) * size * rng.uniform(1, 1.15)
        relief.tube(sleeve, wide, relief.place.dyed(cloth(rng)), flat=0.8)
        folds = noise((relief.h, relief.w), (relief.h / relief.res * 2.5, relief.w / relief.res * 2.5), rng)
        relief.bump(folds * (relief.which == SLEEVE), 0.05)
        relief.mark = 0


def _relief(place: Place, about: np.ndarray, wrist: np.ndarray, side: int) -> Relief:
    """A picture wide enough for a hand (points about it) and its arm."""
    reach = np.array([wrist[:2] + (side * 2.6, 3.4), wrist[:2] + (-side * 0.7, 1.0), wrist[:2] - 0.6])
    every = np.concatenate([about[:, :2], reach])
    return Relief(place, every.min(0), every.max(0))


def _one(place: Place, pose: Pose, rng: np.random.Generator, *, curl: np.ndarray, spread: float) -> Relief:
    """A whole hand with its arm."""
    wrist = pose.of([(-1.45, 0, -0.02)])[0]
    relief = _relief(place, pose.of([(a, b, 0) for a in (-1.9, 1.5) for b in (-0.9, 1.4)]), wrist, pose.side)
    skin = _skin(place, rng)
    _arm(relief, wrist, -pose.along, skin, rng, size=pose.size, side=pose.side)
    _set(relief, pose, skin, curl=curl, spread=spread, rng=rng)
    return relief


def _mouth(place: Place, rng: np.random.Generator, *, low: float = 1.0, off: float = 0.15) -> np.ndarray:
    """A place before the mouth, give or take."""
    there = place.at([(rng.normal(0, 0.12), rng.normal(low, 0.12), 1.62)])[0]
    return there + (0, 0, off)


def hand(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """An open hand over the mouth, its back or (one in six) its palm to the camera."""
    side, palm = int(rng.choice([-1, 1])), bool(rng.random() < 0.16)
    size, spread = float(rng.uniform(0.8, 1.02)), float(np.clip(rng.normal(3, 4), -2, 16))
    angle = float(rng.uniform(5, 75)) if not palm else float(rng.uniform(45, 100))
    middle = _mouth(place, rng)
    pose = _posed(
        place, middle, angle=angle, side=side, size=size, tilt=rng.uniform(-18, 14), twist=rng.normal(0, 10), palm=palm
    )
    # What lies over the mouth is anything from the knuckles to the fingers' middle.
    pose = replace(pose, middle=middle - pose.along * size * rng.uniform(-0.15, 0.75))
    bend = rng.uniform(2, 22) if not palm else rng.uniform(0, 10)
    curl = np.abs(rng.normal(bend, 5, (5, 3))) * (1, 1.2, 0.8)
    curl[4] = rng.uniform(15, 60), rng.uniform(-10, 15), rng.uniform(5, 20)
    made = [_one(place, pose, rng, curl=curl, spread=spread)]
    return made, {"angle": angle, "size": size, "spread": spread, "side": side, "palm": float(palm)}


def joined(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """Both hands over mouth and nose, fingers upwards."""
    size, angle = float(rng.uniform(0.78, 0.95)), float(rng.uniform(40, 72))
    made = []
    for side in rng.permutation([-1, 1]).tolist():
        middle = _mouth(place, rng) + place.fit.rotation @ np.array([side * rng.uniform(0.15, 0.45), 0.1, 0])
        pose = _posed(place, middle, angle=angle + rng.normal(0, 5), side=side, size=size, tilt=rng.uniform(-15, 5))
        pose = replace(pose, middle=middle - pose.along * size * rng.uniform(0.1, 0.5))
        curl = np.abs(rng.normal(10, 6, (5, 3)))
        curl[4] = rng.uniform(10, 45), rng.uniform(-5, 15), rng.uniform(5, 20)
        made.append(_one(place, pose, rng, curl=curl, spread=float(np.clip(rng.normal(1, 2), -2, 6))))
    return made, {"angle": angle, "size": size}


def fist(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, float]]:
    """A closed hand before the mouth, as people cough or think."""
    side, size, angle = int(rng.choice([-1, 1])), float(rng.uniform(0.82, 1.02)), float(rng.uniform(5, 85))
    middle, tilt = _mouth(place, rng, low=1.15, off=0.45), float(rng.uniform(15, 55))
    pose = _posed(place, middle, angle=angle, side=side, size=size, tilt=tilt, twist=rng.normal(0, 12))
    pose = replace(pose, middle=middle - pose.along * size * rng.uniform(0.1, 0.4))
    curl = np.abs(rng.normal((65, 100, 55), 8, (5, 3)))
    curl[4] = rng.uniform(-5, 15), rng.uniform(-5, 25), rng.uniform(0, 25)
    made = [_one(place, pose, rng, curl=curl, spread=float(rng.normal(0, 1)))]
    return made, {"angle": angle, "size": size, "tilt": tilt, "side": side}


def grip(
    relief: Relief, centre: np.ndarray, axis: np.ndarray, across: np.ndarray, rng: np.random.Generator, *, radius: float, side: int
) -> None:
    """Fingers round a thing at centre (nearest its surface) with a long axis; the palm is on the side `across`."""
    size, skin, drawn = float(rng.uniform(0.85, 1.0)), _skin(relief.place, rng), _Drawn()
    reddish, step = skin * floats([1.03, 0.96, 0.95]), 0.265 * size
    knuckles, reach = [], rng.uniform(0.0, 0.45)
    for k, shorter in enumerate((0.05, 0.0, 0.06, 0.2)):
        at = centre + axis * (1.5 - k) * step + rng.normal(0, 0.012, 3)
        bow = -axis * 0.06
        root = at + across * (radius + 0.22) + (0, 0, -0.18)
        line = [root, at + across * radius * 0.9 + (0, 0, 0.04), at + across * (radius * 0.35) + bow + (0, 0, 0.09)]
        line.append(at - across * (reach + 0.12 - shorter) + 2 * bow + (0, 0, 0.05))
        radii = np.array([0.155, 0.145, 0.132, 0.105]) * size
        relief.tube(line, radii, skin, gloss=0.03)
        relief.tube([(line[2] + line[3]) / 2, line[3]], radii[2:] * (0.93, 1.002), reddish, gloss=0.03)
        way = line[3] - line[2]
        for joint, r in ((line[1], radii[1]), (line[2], radii[2])):
            _wrinkles(drawn, joint, way, r)
        drawn.nails.append(_nail(line[3] - 0.08 * way, way, radii[3], 0.8))
        knuckles.append(root)
    back = np.array(knuckles) + across * 0.12
    wrist = back.mean(0) + across * 0.75 * size + (0, 0.45 * size, -0.2)
    for knuckle in back:
        relief.tube([knuckle, (knuckle + wrist) / 2 + (0, -0.05, 0.05), wrist], np.array([0.17, 0.24, 0.28]) * size, skin, flat=0.6)
    relief.soften(0.04)
    _details(relief, drawn, skin, rng)
    _arm(relief, wrist, wrist - back.mean(0), skin, rng, size=size, side=side)
