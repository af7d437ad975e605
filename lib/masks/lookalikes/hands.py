"""Hands before a face: open, in two, as a fist, or round a thing that they hold."""

from dataclasses import replace

import numpy as np

from .fingers import Drawn, Pose, arm, details, lay, nail, skin_of, wrinkles
from .place import Place, floats
from .relief import FLESH, Relief

__all__ = ["fist", "grip", "hand", "joined"]


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


def _relief(place: Place, about: np.ndarray, wrist: np.ndarray, *, side: int) -> Relief:
    """A picture wide enough for a hand (points about it) and its arm."""
    reach = np.array([wrist[:2] + (side * 2.6, 3.4), wrist[:2] + (-side * 0.7, 1.0), wrist[:2] - 0.6])
    every = np.concatenate([about[:, :2], reach])
    return Relief(place, every.min(0), every.max(0))


def _one(place: Place, pose: Pose, rng: np.random.Generator, *, curl: np.ndarray, spread: float) -> Relief:
    """A whole hand with its arm."""
    wrist = pose.of([(-1.45, 0, -0.02)])[0]
    relief = _relief(place, pose.of([(a, b, 0) for a in (-1.9, 1.5) for b in (-0.9, 1.4)]), wrist, side=pose.side)
    skin = skin_of(place, rng)
    arm(relief, wrist, -pose.along, skin=skin, rng=rng, size=pose.size, side=pose.side)
    lay(relief, pose, skin, curl=curl, spread=spread, rng=rng)
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
    relief: Relief,
    centre: np.ndarray,
    axis: np.ndarray,
    *,
    across: np.ndarray,
    rng: np.random.Generator,
    radius: float,
    side: int,
) -> None:
    """Fingers round a thing at centre (nearest its surface) with a long axis; the palm is on the side `across`."""
    size, skin, drawn = float(rng.uniform(0.85, 1.0)), skin_of(relief.place, rng), Drawn()
    relief.mark = FLESH
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
            wrinkles(drawn, joint, way, r=r)
        drawn.nails.append(nail(line[3] - 0.08 * way, way, r=radii[3], facing=0.8))
        knuckles.append(root)
    back = np.array(knuckles) + across * 0.12
    wrist = back.mean(0) + across * 0.75 * size + (0, 0.45 * size, -0.2)
    for knuckle in back:
        line = [knuckle, (knuckle + wrist) / 2 + (0, -0.05, 0.05), wrist]
        relief.tube(line, np.array([0.17, 0.24, 0.28]) * size, skin, flat=0.6)
    relief.soften(0.02)
    details(relief, drawn, skin, rng=rng)
    arm(relief, wrist, wrist - back.mean(0), skin=skin, rng=rng, size=size, side=side)
