"""What a face looks like to a measuring eye: size, darkness, blur, pose and skin tone; the slices of a report."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import boxes, landmarks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HOW", "SIDES", "band", "bands", "tone", "traits"]

SIDES = (0, 10, 20, 32, 64, 128, np.inf)  # pixels, ends of the bands of size
SMALLEST = 20  # pixels; on smaller faces no landmark is believed
SIZE, ENOUGH = 96, 0.25  # pixels a face is measured at; share of the region that must look like skin
# Brow and upper cheeks as shares of a face's box (x1, y1, x2, y2): above the edge of nearly every mask.
REGION = (0.18, 0.0, 0.82, 0.38)
YELLOW = 5.0  # b of skin in neutral light is some 8 to 25; below this the light is blue, and the angle means nothing
TOLD = "not told"

HOW = (
    "Darkness: median grey of the face's box, 0–255 (dark below 70, dim below 110). Blur: variance of the Laplacian "
    "of the face at 96 pixels, in thirds of this set; small faces count as blurred. Pose: how far the nose lies from "
    "the middle of the cheeks by dlib's 68 points (some 0.3 is 18°), which settle on few masked or small faces. Skin "
    "tone: individual typology angle, arctan((L − 50) / b) in degrees (Chardon 1991), of brow and upper cheeks (the "
    "upper 38 % of the box, 64 % wide) in CIE Lab: medians of the lighter half, without glare, of the pixels within "
    "Cr 133–173 and Cb 77–127, which leaves out eyes, brows and hair; bands after Del Bino (2013). It measures the "
    "picture, not the person: light, white balance and a mask that reaches up to the eyes move it by more than a "
    "band; very dark, blue or tinted faces are 'not told'; and it says nothing of anybody's origin."
)


def traits(
    rgb: np.ndarray, xyxy: np.ndarray, *, locate: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
) -> list[dict[str, float]]:
    """Side, darkness, sharpness, tone and turn of the faces (n, 4) of a photo; NaN for what cannot be told.

    side in pixels (the shorter); darkness 0–255; tone in degrees; turn 0–1 (0 frontal), only with locate, as
    `landmarks.finder` gives it.
    """
    xyxy = np.asarray(xyxy, float).reshape(-1, 4)
    points, large = np.full((len(xyxy), 68, 2), np.nan), (xyxy[:, 2:] - xyxy[:, :2]).min(1, initial=np.inf) >= SMALLEST
    if locate is not None and large.any():
        points[large] = locate(rgb, xyxy[large])
    return [_one(rgb, box, face) for box, face in zip(xyxy, points, strict=True)]


def _one(rgb: np.ndarray, box: np.ndarray, points: np.ndarray) -> dict[str, float]:
    h, w = rgb.shape[:2]
    x1, y1, x2, y2 = np.round(boxes.clip(box[None], (w, h))[0]).astype(int).tolist()
    part = rgb[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    grey = cv2.cvtColor(boxes.crop(rgb, box, margin=0, size=SIZE), cv2.COLOR_RGB2GRAY)
    settled = landmarks.implausible(points, box) is None
    return {
        "side": float((box[2:] - box[:2]).min()),
        "darkness": float(np.median(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY))) if part.size else float("nan"),
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        "tone": tone(part) if part.size else float("nan"),
        "turn": abs(landmarks.pose(points)[0]) if settled else float("nan"),
    }


def tone(face: np.ndarray) -> float:
    """Individual typology angle in degrees of a face's box, rgb (h, w, 3): light is high, dark below 10, else NaN.

    `HOW` says how it is measured, and what it cannot tell.
    """
    h, w = face.shape[:2]
    x1, y1, x2, y2 = (round(end * side) for end, side in zip(REGION, (w, h, w, h), strict=True))
    pixels = face[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)].reshape(1, -1, 3)
    if not pixels.size:
        return float("nan")
    _, cr, cb = np.moveaxis(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)[0].astype(int), -1, 0)
    skin = (cr >= 133) & (cr <= 173) & (cb >= 77) & (cb <= 127)
    if skin.mean() < ENOUGH:
        return float("nan")
    light, _, yellow = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0][skin].T
    bare = (light >= np.percentile(light, 50)) & (light <= np.percentile(light, 95))
    lightness, warmth = float(np.median(light[bare])), float(np.median(yellow[bare]))
    return float(np.degrees(np.arctan2(lightness - 50, warmth))) if warmth >= YELLOW else float("nan")


def bands(faces: "pd.DataFrame") -> dict[str, Any]:
    """What the slices of a report are cut by, from the columns of `traits`, source and origin: {name: values (n,)}.

    Sources count where there is more than one; pose where it was looked for on any face.
    """
    result = {
        "face size, px": band(faces["side"], SIDES),
        "light": band(faces["darkness"], (0, 70, 110, np.inf), ["dark", "dim", "bright"]),
        "sharpness": _thirds(faces["sharpness"]),
        "skin tone, ITA": band(
            faces["tone"], (-np.inf, 10, 28, 41, np.inf), ["dark < 10°", "tan 10–28°", "middle 28–41°", "light > 41°"]
        ),
        "made": faces["origin"].eq("artificial").map({True: "artificial", False: "real"}),
    }
    if faces["turn"].notna().any():
        result["pose"] = band(faces["turn"], (0, 0.3, 0.6, 1.01), ["frontal", "half turned", "far turned"])
    if faces["source"].nunique() > 1:
        result["source"] = faces["source"]
    return result


def band(values: "pd.Series", ends: Sequence[float], names: Sequence[str] | None = None) -> "pd.Series":
    """The band of each value, lower end included, as ordered categories; "not told" for NaN. names: "20–32" if None."""
    import pandas as pd

    names = names or [f"{low:g}–{high:g}".replace("–inf", " and more") for low, high in pairwise(ends)]
    cut = pd.Series(pd.cut(values, list(ends), right=False, labels=list(names)))
    return cut.cat.add_categories(TOLD).fillna(TOLD)


def _thirds(values: "pd.Series") -> "pd.Series":
    """Thirds by rank, so that equal values cannot empty one."""
    place = (values.rank(method="first") - 0.5) / max(values.notna().sum(), 1)
    return band(place, (0, 1 / 3, 2 / 3, 1.01), ["blurred third", "middle", "sharp third"])
