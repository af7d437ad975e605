"""A whole person in a picture: head, hair, clothes and what is worn, drawn and shaded, with the truth of the face."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import hair, head, mesh, paint, shade, wear
from .head import Expression, Sheet
from .mesh import Camera, Part, Pose, View
from .people import Person
from .shade import Light

__all__ = ["Act", "Figure", "figure"]


@dataclass(frozen=True)
class Act:
    """What a person does in one picture: pose, expression, mask and hands.

    mask: (kind, worn) of `wear`, or None; seed: of the mask's wrinkles; moved: canonical units that the mask is below
    its place; held: units that the hands at it are, None without hands; without a mask any number puts a hand over
    the mouth.
    """

    pose: Pose
    expression: Expression
    mask: tuple[str, str] | None = None
    seed: int = 0
    moved: float = 0.0
    held: float | None = None


@dataclass(frozen=True)
class Figure:
    """A person drawn: rgb 0–255 and alpha 0–1 (h, w, 4) float32, the 68 points (68, 2) and the face's box (4,)."""

    rgba: np.ndarray
    points: np.ndarray
    box: np.ndarray


def figure(person: Person, view: View, act: Act, *, light: Light, samples: float = 1.6) -> Figure:
    """Draw a person in a view; samples: points a pixel's side, that edges are smooth."""
    camera = Camera(view.enlarged(samples), act.pose)
    marks = head.landmarks(person, act.expression)
    skull = head.head(person, act.expression)
    frames, lenses = wear.glasses(person)
    parts = _body(person, skull, camera) + _worn(person, act, camera)
    parts += [mesh.part(f.sheet, f.colour, camera, kind=mesh.SHINY, gloss=f.gloss) for f in frames]
    index, depth = mesh.splat(parts, camera.view)
    scale = camera.view.scale
    covered = act.mask is not None and act.mask[1] == "full" and act.moved < 0.05
    texture = paint.face(person, act.expression, marks, scale=max(70.0, scale), masked=covered)
    rgba = shade.shade(parts, index, depth, texture=texture, light=light, scale=scale)
    for rim in lenses:
        shade.glaze(rgba, camera.see(rim), light)
    small = cv2.resize(rgba, view.size, interpolation=cv2.INTER_AREA) if samples != 1 else rgba
    small[..., :3] /= np.maximum(small[..., 3:], 1e-4)
    camera = Camera(view, act.pose)
    bent = head.bend(marks.astype(np.float32), person, act.expression)
    points = _outlined(camera.see(bent).astype(float), marks, skull, camera=camera)
    return Figure(small, points, _box(person, points, camera))


def _body(person: Person, skull: Sheet, camera: Camera) -> list[Part]:
    """Head (first), ears, shoulders and hair."""
    skin = np.array(person.skin, np.float32)
    parts = [mesh.part(skull, skin, camera, kind=mesh.FACE, gloss=0.35)]
    if person.hair != "scarf":
        ear = skin * np.array((1.0, 0.88, 0.86), np.float32)
        parts += [mesh.part(e, ear, camera, kind=mesh.SKIN, gloss=0.3) for e in head.ears(person)]
    chest = head.torso(person)
    parts.append(mesh.part(chest, lambda c: wear.clothes(person, c), camera.of_body(), kind=mesh.CLOTH, gloss=0.1))
    for growth in hair.grow(person):
        kind = mesh.CLOTH if growth.shine < 0 else mesh.HAIR
        parts.append(mesh.part(growth.sheet, growth.colour, camera, kind=kind, gloss=max(growth.shine, 0.05)))
    return parts


def _worn(person: Person, act: Act, camera: Camera) -> list[Part]:
    """The mask and the hands."""
    parts = []
    if act.mask is not None:
        kind, worn = act.mask
        rng = np.random.default_rng([17, act.seed])
        shift = np.array([0, act.moved, 0.25 * min(act.moved, 1.0)], np.float32)
        for piece in wear.mask(person, act.expression, kind=kind, worn=worn, rng=rng):
            sheet = Sheet(piece.sheet.points + shift, piece.sheet.canonical)
            parts.append(mesh.part(sheet, piece.colour, camera, kind=mesh.CLOTH, gloss=piece.gloss))
    if act.held is not None:
        skin = np.array(person.skin, np.float32) * np.array((1.0, 0.95, 0.94), np.float32)
        fabric = np.array(person.fabric, np.float32)
        for sheet, sleeve in wear.hands(0.95 + act.held if act.mask else None):
            kind_of, colour = (mesh.CLOTH, fabric) if sleeve else (mesh.SKIN, skin)
            parts.append(mesh.part(sheet, colour, camera, kind=kind_of, gloss=0.25))
    return parts


def _outlined(xy: np.ndarray, marks: np.ndarray, skull: Sheet, *, camera: Camera) -> np.ndarray:
    """The points (68, 2) with the far jaw of a turned face on the outline that is seen."""
    pose = camera.pose
    turn = np.clip((abs(pose.yaw) - 3) / 10, 0, 1)
    if not turn:
        return xy
    outline = camera.see(skull.points)
    c, s = np.cos(np.radians(pose.roll)), np.sin(np.radians(pose.roll))
    upright = outline @ np.array([[c, -s], [s, c]], np.float32)
    far = 1 if pose.yaw > 0 else -1
    half = slice(head.COLUMNS // 2, None) if far > 0 else slice(None, head.COLUMNS // 2)
    best = np.argmax(far * upright[:, half, 0], axis=1) + (head.COLUMNS // 2 if far > 0 else 0)
    edge = outline[np.arange(len(outline)), best]
    heights = skull.canonical[:, 0, 1]
    for k in range(1, 9):
        i = 8 + far * k
        at = np.array([np.interp(marks[i, 1], heights, edge[:, axis]) for axis in (0, 1)])
        share = turn * min(1.0, 0.35 * k)
        xy[i] = xy[i] * (1 - share) + at * share
    return xy


def _box(person: Person, points: np.ndarray, camera: Camera) -> np.ndarray:
    """The face's box (4,): from the middle of the forehead to the chin, cheek to cheek as it is seen."""
    brow = np.array([[0, -1.12, 1.08], [-0.8, -0.85, 0.70], [0.8, -0.85, 0.70]], np.float32)
    both = np.concatenate([points, camera.see(head.bend(brow, person, Expression()))])
    w, h = camera.view.size
    return np.concatenate([both.min(0), both.max(0)]).clip(0, (w, h, w, h))
