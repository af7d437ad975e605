"""Pictures of an arm: masks drawn on bare faces by `lib.masks`, or pasted flat and blue as the tutorials do it."""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from lib import batch, boxes, images, landmarks, masks
from lib.classes import NAMES
from lib.masks import light
from lib.train import WIDE, wide_size

from .tables import Arm

__all__ = ["Draw", "Wish", "again", "flat_blue", "paste_flat", "unlit", "wishes", "lookalikes"]

SIDE = wide_size(96)
# What people call worn incorrectly; other ways (chin out, loose, upside down) they call with_mask, if they see them.
BESIDE = 0.2  # share of drawn masks with something of a look-alike too, or glasses would mean: no mask
WRONG_SHARES = {"nose_out": 0.6, "under_chin": 0.25, "mouth_out": 0.1, "pushed_up": 0.02, "hanging": 0.03}


@dataclass(frozen=True)
class Wish:
    """One picture to make of a face: the kind ('mask', 'flat', 'lookalike', 'placed' or 'as it is'), its name, how it
    is worn, the seed; beside: a look-alike that is seen together with the mask.

    'placed' stays as it is, too, but must have landmarks, as every face has that something is drawn on.
    """

    kind: str
    name: str
    wear: str
    seed: int
    beside: str = ""


def wishes(arm: Arm, *, count: int, wrong: float, rng: np.random.Generator) -> list[Wish]:
    """What is drawn: styles in their own shares, a share `wrong` worn incorrectly, where the arm knows such."""
    styles = arm.styles or tuple(name for name, style in masks.STYLES.items() if not getattr(style, "scarf", False))
    shares = np.array([masks.STYLES[name].share for name in styles], float)
    others = [w for w in WRONG_SHARES if w in masks.WEARS and (arm.wears is None or w in arm.wears)]
    odds = np.array([WRONG_SHARES[w] for w in others])
    made = []
    for _ in range(count):
        seed = int(rng.integers(2**31))
        incorrectly = bool(others) and rng.random() < wrong
        wear = others[rng.choice(len(others), p=odds / odds.sum())] if incorrectly else NAMES[0]
        style = styles[rng.choice(len(styles), p=shares / shares.sum())]
        beside = _beside(wear, rng) if arm.lookalikes else ""
        flat = arm.masks == "flat"
        made.append(Wish("flat", "flat-blue", NAMES[0], seed) if flat else Wish("mask", style, wear, seed, beside))
    return made


def _beside(wear: str, rng: np.random.Generator) -> str:
    """What is seen together with a mask, mostly nothing; a thing held before it only where it sits well."""
    if rng.random() >= BESIDE:
        return ""
    known = masks.UNDER + (masks.BEFORE if wear == NAMES[0] else ())
    return known[rng.integers(len(known))]


def lookalikes(count: int, *, rng: np.random.Generator) -> list[Wish]:
    """Hands, cups, beards and what else the generator can lay over a mouth; none where it cannot yet."""
    known = tuple(getattr(masks, "LOOKALIKES", ()))
    if not known or not hasattr(masks, "cover_with"):
        return []
    names = [known[i] for i in rng.integers(len(known), size=count)]
    return [Wish("lookalike", name, "", int(rng.integers(2**31))) for name in names]


@dataclass(frozen=True)
class Draw:
    """(number, image, box, wishes) of one face → its number, crops (k, SIDE, SIDE, 3) and what they show; picklable.

    lit=False: `unlit` holds while drawing. A label "" means: the face's own.
    """

    lit: bool = True

    def __call__(
        self, job: tuple[int, str, tuple[float, ...], tuple[Wish, ...]]
    ) -> tuple[int, np.ndarray, list[dict[str, str]]]:
        number, path, box, wanted = job
        rgb, box_ = _part(images.read(path), np.array(box, float))
        points = np.empty((68, 2))
        if any(wish.kind != "as it is" for wish in wanted):
            points = _locator()(rgb, box_[None])[0]
            reason = landmarks.implausible(points, box_)
            if reason:
                raise batch.Skip(reason)
        crops, told = [], []
        with contextlib.nullcontext() if self.lit else unlit():
            for wish in wanted:
                made, label = _made(rgb, points, wish, box=box_)
                if made is None:
                    continue
                crops.append(boxes.crop(again(made, wish.seed), box_, margin=WIDE, size=SIDE))
                told.append({"label": label, "style": wish.name, "wear": wish.wear})
        if not crops:
            raise batch.Skip("what was drawn would not be seen")
        return number, np.stack(crops), told


@cache
def _locator() -> landmarks.Locator:
    return landmarks.finder()


def _part(rgb: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The photo around a face, far enough that nothing drawn or cropped ends at the cut.

    Mirroring tight crops past their edges was tried, and was worse on dev than the product's own repeated border.
    """
    h, w = rgb.shape[:2]
    x1, y1, x2, y2 = np.round(boxes.widen(boxes.square(box[None]), 1.2, size=(w, h))[0]).astype(int)
    return np.ascontiguousarray(rgb[y1:y2, x1:x2]), box - (x1, y1, x1, y1)


def _made(rgb: np.ndarray, points: np.ndarray, wish: Wish, *, box: np.ndarray) -> tuple[np.ndarray | None, str]:
    """The picture, or None where what was drawn lies outside of it, as a mask below the chin of a tight crop does."""
    rng = np.random.default_rng(wish.seed)
    if wish.kind in ("as it is", "placed"):
        return rgb, ""
    if wish.kind == "flat":
        return paste_flat(rgb, points), NAMES[0]
    try:
        if wish.kind == "mask":
            look = {"style": wish.name, "wear": wish.wear, "rng": rng}
            made = (
                masks.together(rgb, points, beside=wish.beside, **look)
                if wish.beside
                else masks.put_on(rgb, points, **look)
            )
        else:
            made = masks.cover_with(rgb, points, kind=wish.name, rng=rng)
    except ValueError:  # outside the photo
        return None, ""
    return (made.rgb if _seen(made.mask, box) else None), made.label


def _seen(mask: np.ndarray, box: np.ndarray, *, least: float = 0.05) -> bool:
    """Whether enough fabric, as a share of the box, lies where the network looks."""
    h, w = mask.shape
    x1, y1, x2, y2 = np.round(boxes.widen(boxes.square(box[None]), 0.2, size=(w, h))[0]).astype(int)
    return bool((mask[y1:y2, x1:x2] == masks.FABRIC).sum() >= least * boxes.area(box[None])[0])


def again(rgb: np.ndarray, seed: int) -> np.ndarray:
    """The photo saved as JPEG once more: what is drawn and what is bare have the same history."""
    quality = int(np.random.default_rng([seed, 7]).integers(60, 96))
    data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@contextlib.contextmanager
def unlit() -> Iterator[None]:
    """Within: every photo is said to have the same light, hardly any blur and no grain; for one ablation alone."""
    kept = light.estimate, light.blur, light.grain

    def estimate(*given: Any, **how: Any) -> light.Light:
        return dataclasses.replace(
            kept[0](*given, **how), ambient=0.8, toward=np.zeros(3), tint=np.ones(3), colourful=1.0
        )

    light.estimate, light.blur, light.grain = estimate, lambda *_, **__: 0.4, lambda *_, **__: 0.0
    try:
        yield
    finally:
        light.estimate, light.blur, light.grain = kept


@cache
def flat_blue() -> np.ndarray:
    """A mask as the tutorials paste it: one flat light-blue picture (180, 240, 4) with three folds and its loops."""
    picture = np.zeros((180, 240, 4), np.uint8)
    outline = np.array([(36, 22), (120, 6), (204, 22), (198, 120), (160, 164), (120, 174), (80, 164), (42, 120)])
    for side in (1, -1):
        ear = np.array([(36, 26), (4, 40), (8, 96), (42, 116)])
        ear = ear if side == 1 else np.array([(239, 0)]) + ear * (-1, 1)
        cv2.polylines(picture, [ear.astype(np.int32)], False, (235, 240, 242, 255), 3, cv2.LINE_AA)
    cv2.fillPoly(picture, [outline.astype(np.int32)], (124, 183, 216, 255), cv2.LINE_AA)
    for y in (62, 92, 122):
        cv2.line(picture, (44, y), (196, y), (104, 163, 198, 255), 3, cv2.LINE_AA)
    return picture


def paste_flat(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A copy of the photo with the flat picture scaled and turned between nose bridge, chin and jaw, nothing else.

    As in prajnasb/observations: from point 28 to 8, 1.2 times as wide as the jaw from 2 to 14, never blurred or lit.
    """
    picture = flat_blue()
    top, chin, left, right = points[28], points[8], points[2], points[14]
    down = chin - top
    across = np.array([down[1], -down[0]]) / max(float(np.linalg.norm(down)), 1e-6)
    wide = 1.2 * float(abs((right - left) @ across))
    middle = top + across * float(((left + right) / 2 - top) @ across)
    corners = np.float32([middle - across * wide / 2, middle + across * wide / 2, middle - across * wide / 2 + down])
    h, w = picture.shape[:2]
    matrix = cv2.getAffineTransform(np.float32([(0, 0), (w, 0), (0, h)]), corners)
    size = rgb.shape[1], rgb.shape[0]
    laid = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA)
    cover = laid[..., 3:].astype(np.float32) / 255
    return np.round(rgb * (1 - cover) + laid[..., :3] * cover).clip(0, 255).astype(np.uint8)
