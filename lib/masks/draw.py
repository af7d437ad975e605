"""Put one mask on one face: a photo and its 68 points in; the photo with a mask, its pixel mask and outline out."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from .. import classes
from . import fabrics, head, light, paint, shapes
from .paint import FABRIC, SHADOW, STRAP
from .scene import Scene, covered, outline, texels
from .styles import Style, find

__all__ = ["FABRIC", "SHADOW", "STRAP", "Masked", "mesh", "put_on"]


@dataclass(frozen=True)
class Masked:
    """A photo with a drawn mask: rgb, the pixel mask (h, w) uint8 (`FABRIC`, `STRAP`, `SHADOW`, 0), its outline (k, 2).

    label is the class that the way of wearing means; parameters are what chance decided.
    """

    rgb: np.ndarray
    mask: np.ndarray
    polygon: np.ndarray
    label: str
    style: str
    wear: str
    parameters: dict[str, Any] = field(default_factory=dict)


def put_on(
    rgb: np.ndarray,
    points: np.ndarray,
    *,
    style: str | Style = "surgical-blue",
    wear: str = "with_mask",
    scarf_as: str = "without_mask",
    rng: np.random.Generator | int = 0,
) -> Masked:
    """Draw a mask on the face with these 68 points (68, 2); the photo given stays as it is.

    style: a name of `STYLES`, the path of a transparent PNG, or a Style; wear: a name of `WEARS`; scarf_as: the class
    that a scarf over mouth and nose counts as; rng: a generator or a seed, same seed, same bytes. Several faces: call
    again on the result. Raises ValueError for unknown names, for points that are not finite, and where the mask would
    lie outside the photo.
    """
    look = find(style)
    if scarf_as not in classes.NAMES:
        raise ValueError(f"scarf_as: must be one of {', '.join(classes.NAMES)}, got {scarf_as!r}")
    points = np.asarray(points, float)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"points: must be 68 finite points, got shape {points.shape}")
    rng = np.random.default_rng(rng)
    scene = Scene.of(rgb, points, shapes.build(look.shape, wear, rng=rng))
    fabric = look.draw(fabrics.Room(texels(scene), rng, bunched=scene.sheet.bunched))
    fabric = fabric.turned() if wear == "upside_down" else fabric
    cover, grain = covered(scene), light.grain(rgb, scene.fit)
    if fabric.cover is not None:
        cover = cv2.multiply(cover, paint.layer(scene, fabric.cover), scale=1 / 255)
    noise = paint.grain(cover.shape, grain, rng)
    out, mask = rgb.copy(), np.zeros(rgb.shape[:2], np.uint8)
    out[scene.window.slices], mask[scene.window.slices] = paint.laid(scene, fabric, cover, points, noise=noise)
    parameters: dict[str, Any] = {k: round(float(v), 4) for k, v in scene.sheet.parameters.items()}
    parameters |= {"blur": round(scene.soft, 3), "grain": round(grain, 3), "jpeg": scene.quality}
    name = look.name or (style if isinstance(style, str) else "own")
    label = shapes.WEARS[wear] if not look.scarf or scarf_as == "with_mask" else scarf_as
    return Masked(out, mask, outline(cover, scene.inner), label, name, wear, parameters)


def mesh(
    rgb: np.ndarray, points: np.ndarray, *, style: str | Style = "surgical-blue", wear: str = "with_mask"
) -> np.ndarray:
    """A copy of a photo with the sheet's mesh drawn over the face: how a mask of this style is going to lie there."""
    fit = head.fit(np.asarray(points, float))
    sheet = shapes.build(find(style).shape, wear, rng=np.random.default_rng(0))
    places = fit.project(sheet.points.reshape(-1, 3)).reshape(*sheet.points.shape[:2], 2)
    lines = [*places, *places.transpose(1, 0, 2), *(fit.project(strap) for strap in sheet.straps)]
    picture, thin = rgb.copy(), max(1, round(fit.scale / 60))
    for line in lines:
        cv2.polylines(picture, [np.round(line * 16 - 8).astype(np.int32)], False, (0, 158, 115), thin, cv2.LINE_AA, 4)
    return picture
