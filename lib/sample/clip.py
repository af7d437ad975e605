"""A short clip: people moving before a room, one of them putting a mask on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import classes, files
from ..clips import Writer
from . import render, scene
from .head import EYE_DISTANCE, Expression
from .mesh import Pose, View
from .people import Person, person
from .shade import Light

__all__ = ["clip"]

SIZE = (640, 360)
CAST = (
    (45, None),
    (12, "cloth-navy"),
    (30, "surgical-blue"),
)  # person (plus seed), the mask worn; the first puts one on
PUTS_ON = "surgical-white"


def clip(path: str | Path, *, seconds: float = 4, fps: float = 12, seed: int = 0) -> Path:
    """Write an MP4 of three people, one putting a mask on halfway, and its truth as JSON beside it; returns the path.

    The truth file has the same name with .json: fps, and for each frame its faces with xyxy, points68, label, person.
    """
    path = Path(path)
    rng = np.random.default_rng([41, seed])
    picture = scene.background(SIZE, rng=rng, name="office")
    light = Light(key=(-0.55, -0.45, 0.7), exposure=0.98)
    frames = max(1, round(seconds * fps))
    cast = [(person(who + seed), mask, rng.uniform(0, 6.28, 6)) for who, mask in CAST]
    told = []
    with Writer(path, fps=fps) as writer:
        for i in range(frames):
            t = i / max(1, frames - 1)
            rgb, faces = _frame(picture, cast, light, t, i)
            writer.write(scene.finish(rgb, rng=np.random.default_rng([43, seed, i]), noise=1.5))
            told.append({"seconds": round(i / fps, 4), "faces": faces})
    files.write(path.with_suffix(".json"), json.dumps({"fps": fps, "size": SIZE, "frames": told}))
    return path


def _frame(
    picture: np.ndarray, cast: list[tuple[Person, str | None, np.ndarray]], light: Light, t: float, i: int
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    faces = []
    for k, (who, mask, phase) in enumerate(cast):
        view, pose, mood = _acting(k, t, phase)
        worn: tuple[str, str] | None = (mask, "full") if mask else None
        moved, held, label = 0.0, None, classes.NAMES[0] if mask else classes.NAMES[1]
        if mask is None and 0.30 < t < 0.76:  # hands come up with the mask, put it on, and go
            moved = 2.6 * (1 - _ease((t - 0.30) / 0.30))
            held = moved if t < 0.62 else 3.0 * _ease((t - 0.62) / 0.14)
        if mask is None and t > 0.30:
            worn = (PUTS_ON, "full")
            label = classes.NAMES[0] if moved < 0.15 else classes.NAMES[2] if moved < 0.45 else classes.NAMES[1]
        lit = replace(light, exposure=light.exposure * (1 + 0.4 * who.darkness**1.5))
        act = render.Act(pose, mood, mask=worn, seed=k, moved=moved, held=held)
        looks = render.figure(who, view, act, light=lit, samples=1.5)
        alpha = looks.rgba[..., 3:]
        picture = picture * (1 - alpha) + looks.rgba[..., :3] * alpha
        faces.append({
            "xyxy": [round(float(v), 2) for v in looks.box], "label": label, "person": who.seed,
            "points68": [[round(float(v), 2) for v in p] for p in looks.points],
        })  # fmt: skip
    return picture, faces


def _ease(t: float) -> float:
    t = float(np.clip(t, 0, 1))
    return t * t * (3 - 2 * t)


def _acting(k: int, t: float, phase: np.ndarray) -> tuple[View, Pose, Expression]:
    """Where the k-th person stands and looks at time t (0–1)."""
    w, h = SIZE
    scale = (0.125, 0.115, 0.108)[k] * h / EYE_DISTANCE
    x = w * ((0.24, 0.52, 0.79)[k] + 0.018 * np.sin(2.2 * np.pi * t + phase[0]))
    y = h * ((0.46, 0.42, 0.47)[k] + 0.010 * np.sin(3.1 * np.pi * t + phase[1]))
    pose = Pose(
        float(16 * np.sin(1.6 * np.pi * t + phase[2])),
        float(4 * np.sin(2.6 * np.pi * t + phase[3])),
        float(4 * np.sin(2.0 * np.pi * t + phase[4])),
    )
    talk = max(0.0, float(np.sin(9 * np.pi * t + phase[5]))) * 0.5 if k == 0 and t < 0.28 else 0.0
    return View(scale, (float(x), float(y)), SIZE), pose, Expression(smile=0.3, open=talk)
