"""Portraits and groups with their truth, and folders of them."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, classes, files, images
from . import render, scene, wear
from .head import EYE_DISTANCE, Expression
from .mesh import Pose, View
from .people import PEOPLE, Person, person
from .shade import Light

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Face", "Shot", "group", "photos", "portrait", "truth"]

log = logging.getLogger(__name__)
TRUTH = "truth.json"
WITH, WITHOUT, WRONG = classes.NAMES


@dataclass(frozen=True)
class Face:
    """The truth of one face: box (4,), the 68 points (68, 2), both pixel-edge coordinates; class and person's seed."""

    xyxy: np.ndarray
    points68: np.ndarray
    label: str
    person: int
    mask: str = ""
    yaw: float = 0.0

    def row(self) -> dict[str, Any]:
        """The face as plain numbers and words, for JSON."""
        return {
            "xyxy": [round(float(v), 2) for v in self.xyxy],
            "points68": [[round(float(v), 2) for v in p] for p in self.points68],
            "label": self.label, "person": self.person, "mask": self.mask, "yaw": round(self.yaw, 1),
        }  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A photo: rgb uint8 (h, w, 3), its faces from left to right, and the JPEG quality it is stored with."""

    rgb: np.ndarray
    faces: list[Face]
    quality: int = 90


def portrait(
    who: Person | int,
    *,
    take: int = 0,
    size: int = 512,
    mask: str | None = None,
    worn: str = "full",
    yaw: float | tuple[float, float] = (-22, 22),
    tilt: float = 6.0,
    hand: bool = False,
) -> Shot:
    """Take a photo of one person; the take decides pose, light, expression, background and camera.

    mask: a kind of `MASKS`, "any", or None for a bare face; worn: "full", "nose" (nose bare) or "chin". yaw: degrees,
    or the range to draw it from; tilt: the most pitch and roll. hand: one lies over the mouth of a bare face. size:
    the picture's side, 64 or more.
    """
    who = person(who) if isinstance(who, int) else who
    if size < 64:
        raise ValueError(f"size: must be at least 64, got {size}")
    rng = np.random.default_rng([19, who.seed, take])
    angle = float(rng.uniform(*yaw)) if isinstance(yaw, tuple) else float(yaw)
    pose = Pose(angle, float(rng.uniform(-tilt, tilt) * 0.9), float(rng.uniform(-tilt, tilt)))
    share = rng.uniform(0.155, 0.215)
    view = View(
        size * share / EYE_DISTANCE, (size * rng.uniform(0.46, 0.54), size * rng.uniform(0.43, 0.49)), (size, size)
    )
    light, picture = _weather(rng, (size, size))
    kind = str(rng.choice(list(wear.MASKS))) if mask == "any" else mask
    shot = _drawn(picture, [(who, view, pose, kind, worn)], light, rng, hand=hand and not kind)
    return _developed(shot, rng, sharp=size / 512)


def group(people: Sequence[Person | int], *, take: int = 0, size: int = 768, masks: Sequence[str | None] = ()) -> Shot:
    """Take a photo of two to five people side by side; masks: a kind, "any" or None for each (none: all bare).

    size: the longer side of the picture, which is 4:3. A mask may also be given as "kind/worn".
    """
    if not 1 <= len(people) <= 5:
        raise ValueError(f"people: must be one to five, got {len(people)}")
    known = [person(p) if isinstance(p, int) else p for p in people]
    rng = np.random.default_rng([23, *(p.seed for p in known), take])
    w, h = size, size * 3 // 4
    light, picture = _weather(rng, (w, h))
    n = len(known)
    scale = min(0.175 * w / (0.72 + 0.42 * n), 0.145 * h) / EYE_DISTANCE * rng.uniform(0.9, 1.05)
    sitters = []
    for i, who in enumerate(known):
        near = scale * rng.uniform(0.86, 1.08)
        x = w * (0.5 + (i - (n - 1) / 2) * min(0.8 / n, 0.29)) + rng.normal(0, 0.01) * w
        y = h * rng.uniform(0.40, 0.54)
        inward = -np.sign(x - w / 2) * 6 if n > 1 else 0
        pose = Pose(float(rng.uniform(-16, 16) + inward), float(rng.uniform(-5, 5)), float(rng.uniform(-6, 6)))
        wanted = masks[i] if i < len(masks) else None
        kind, _, worn = (wanted or "").partition("/")
        kind = str(rng.choice(list(wear.MASKS))) if kind == "any" else kind
        sitters.append((who, View(near, (x, y), (w, h)), pose, kind or None, worn or "full"))
    sitters.sort(key=lambda s: s[1].scale)
    return _developed(_drawn(picture, sitters, light, rng), rng, sharp=size / 900)


def _weather(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Light, np.ndarray]:
    """Light and background that belong together."""
    name = str(rng.choice(list(scene.SCENES), p=[0.24, 0.16, 0.12, 0.14, 0.16, 0.06, 0.12]))
    azimuth, height = np.radians(rng.uniform(-65, 65)), np.radians(rng.uniform(8, 48))
    key = np.sin(azimuth) * np.cos(height), -np.sin(height), np.cos(azimuth) * np.cos(height)
    warm = {"evening": 0.14, "room": 0.07, "shelf": 0.08}.get(name, 0.0) + rng.normal(0.02, 0.025)
    soft = rng.uniform(0.36, 0.58)
    strong = rng.uniform(0.62, 0.95)
    light = Light(
        key=(float(key[0]), float(key[1]), float(key[2])),
        colour=(strong * (1 + warm), strong, strong * (1 - 1.3 * warm)),
        ambient=(soft * (1 - 0.3 * warm), soft, soft * (1.03 + 0.2 * warm)),
        rim=float(rng.uniform(0.1, 0.5)),
        exposure=float(rng.uniform(0.85, 1.15)),
    )
    picture = scene.background(size, rng=rng, name=name) * (0.78 + 0.25 * (light.exposure - 0.85))
    return light, picture


def _drawn(
    picture: np.ndarray,
    sitters: list[tuple[Person, View, Pose, str | None, str]],
    light: Light,
    rng: np.random.Generator,
    *,
    hand: bool = False,
) -> Shot:
    faces = []
    h, w = picture.shape[:2]
    for who, view, pose, kind, worn in sitters:
        lift = 1 + 0.40 * who.darkness**1.5
        lit = replace(light, exposure=light.exposure * lift)
        act = render.Act(
            pose, _mood(rng, pose), mask=(kind, worn) if kind else None, seed=int(rng.integers(1 << 30)),
            held=0.0 if hand else None)  # fmt: skip
        looks = render.figure(who, view, act, light=lit, samples=_samples(view.scale))
        alpha = looks.rgba[..., 3:]
        picture = picture * (1 - alpha) + looks.rgba[..., :3] * alpha
        label = wear.WORN[worn] if kind else WITHOUT
        faces.append(Face(looks.box, looks.points, label, who.seed, kind or "", pose.yaw))
    faces.sort(key=lambda f: float(f.xyxy[0]))
    return Shot(picture, faces)


def _samples(scale: float) -> float:
    return 1.6 if scale < 90 else 1.3 if scale < 140 else 1.0


def _mood(rng: np.random.Generator, pose: Pose) -> Expression:
    kind = rng.random()
    smile = rng.uniform(0.35, 1.0) if kind < 0.45 else rng.uniform(-0.25, 0.25)
    open_ = rng.uniform(0.3, 0.75) if kind < 0.16 or kind > 0.93 else 0.0
    return Expression(
        smile=float(smile), open=float(open_), brows=float(rng.normal(0, 0.35)),
        squint=float(np.clip(rng.normal(0.25 * max(smile, 0), 0.2), -0.3, 0.8)),
        gaze=(float(np.clip(-pose.yaw / 30 + rng.normal(0, 0.4), -1.3, 1.3)), float(rng.normal(0, 0.3))),
    )  # fmt: skip


def _developed(shot: Shot, rng: np.random.Generator, *, sharp: float) -> Shot:
    blur = float(rng.choice([0.0, 0.5, 0.9, 1.5], p=[0.5, 0.25, 0.18, 0.07])) * max(0.6, min(sharp, 1.0))
    rgb = scene.finish(shot.rgb, rng=rng, blur=blur, noise=float(rng.choice([1.0, 2.5, 5.0], p=[0.4, 0.4, 0.2])))
    return Shot(rgb, shot.faces, quality=int(rng.integers(76, 96)))


def photos(
    folder: str | Path,
    *,
    count: int = 150,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> "pd.DataFrame":
    """Write so many photos (JPEG) with their truth beside them; the table of faces.

    About a quarter are groups; half of the people wear masks, one in eight of them wrongly. Columns: image (file
    name), x1 … y2, label, source "sample", origin, person.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(str(folder), i, seed) for i in range(count)]
    rows, skipped = batch.run(_write, jobs, executor=executor, progress=progress)
    for trouble in skipped:
        log.warning("sample photo not written: %s", trouble["reason"])
    known = {name: faces for name, faces in rows}
    files.write(folder / TRUTH, json.dumps(known, indent=0))
    return _table(known)


def plan(i: int, *, seed: int = 0, label: str | None = None) -> Shot:
    """The i-th photo of the sample of a seed; label asks for a portrait of that class."""
    rng = np.random.default_rng([29, seed, i])
    size = int(rng.choice([256, 320, 384, 512, 640, 1024], p=[0.34, 0.22, 0.2, 0.16, 0.06, 0.02]))
    people = [int(rng.integers(PEOPLE)) for _ in range(int(rng.integers(2, 5)))]
    how = [_dressed(rng, label) for _ in people]
    if rng.random() < 0.22 and label != WRONG:
        people = list(dict.fromkeys(people))
        masks = [f"{kind}/{worn}" if kind else None for kind, worn in how][: len(people)]
        return group(people, take=i, size=max(size, 512), masks=masks)
    who = (i * 7 + seed * 131) % PEOPLE
    wide = (-35, 35) if rng.random() < 0.3 else (-18, 18)
    kind, worn = how[0]
    return portrait(who, take=i, size=size, mask=kind, worn=worn, yaw=wide, tilt=12 if wide[1] > 20 else 6,
                    hand=kind is None and rng.random() < 0.06)  # fmt: skip


def _dressed(rng: np.random.Generator, label: str | None) -> tuple[str | None, str]:
    chance = rng.random()
    if label is None:
        label = WITHOUT if chance < 0.5 else WITH if chance < 0.93 else WRONG
    worn = "full" if label == WITH else str(rng.choice(["nose", "nose", "chin"]))
    return (None, "full") if label == WITHOUT else (str(rng.choice(list(wear.MASKS))), worn)


def _write(job: tuple[str, int, int]) -> tuple[str, list[dict[str, Any]]]:
    folder, i, seed = job
    shot = plan(i, seed=seed)
    name = f"sample-{seed}-{i:04d}.jpg"
    images.write(Path(folder) / name, shot.rgb, quality=shot.quality)
    return name, [face.row() for face in shot.faces]


def truth(folder: str | Path) -> "pd.DataFrame":
    """The table of faces of a folder that `photos` wrote. Raises FileNotFoundError where there is none."""
    path = Path(folder) / TRUTH
    if not path.is_file():
        raise FileNotFoundError(f"truth: {path} does not exist; `photos` writes it")
    return _table(json.loads(path.read_text(encoding="utf-8")))


def _table(known: dict[str, list[dict[str, Any]]]) -> "pd.DataFrame":
    import pandas as pd

    columns = ["image", "x1", "y1", "x2", "y2", "label", "source", "origin", "person", "mask", "yaw", "points68"]
    rows = [
        (name, *face["xyxy"], face["label"], "sample", "manual", face["person"], face["mask"], face["yaw"],
         np.array(face["points68"]))
        for name, faces in known.items() for face in faces
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
