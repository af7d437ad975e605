"""Faces that are drawn on to teach: masks and look-alikes on a table's bare faces, as the wide crops that `fit` takes.

Drawn beside real faces, they teach what one collection of photos does not show: other masks, other ways of wearing
them, and what is no mask. All crops are compressed once more, drawn or not, so that this says nothing.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import batch, boxes, images, landmarks, masks
from ..classes import NAMES
from .crops import WIDE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Amount", "Draw", "Wish", "chance", "drawable", "drawn", "lookalikes", "pictured", "wishes"]

BOX = ["x1", "y1", "x2", "y2"]
# What people call worn incorrectly; other ways (chin out, loose, upside down) they call with_mask, if they see them.
WRONG_SHARES = {"nose_out": 0.6, "under_chin": 0.25, "mouth_out": 0.1, "pushed_up": 0.02, "hanging": 0.03}
BESIDE = 0.2  # share of drawn masks with something of a look-alike too, or glasses would mean: no mask
FAMILY = 60  # faces of a group; a larger one is most of its source's bare faces, and stays bare
DOUBTFUL = "photos-worn-incorrectly"  # some of its faces labelled without_mask have one under the chin


@dataclass(frozen=True)
class Amount:
    """How many faces are drawn for training: with a mask, of them worn incorrectly (a share), look-alikes, and the
    share of people whose bare faces become parents."""

    masked: int = 2400
    wrong: float = 0.35
    alike: int = 500
    parents: float = 0.15


@dataclass(frozen=True)
class Wish:
    """One picture to make of a face: the kind ('mask', 'lookalike', 'placed' or 'as it is'), its name, how it is worn,
    the seed; beside: a look-alike that is seen together with the mask.

    'placed' stays as it is, too, but must have landmarks, as every face has that something is drawn on.
    """

    kind: str
    name: str
    wear: str
    seed: int
    beside: str = ""


def wishes(
    count: int,
    *,
    wrong: float,
    rng: np.random.Generator,
    styles: Sequence[str] | None = None,
    wears: Sequence[str] | None = None,
    beside: float = BESIDE,
) -> list[Wish]:
    """What is drawn on a face: styles in their own shares, a share `wrong` worn incorrectly.

    styles, wears: the names to choose from, None for all but scarves; beside: the share with something of a look-alike.
    """
    styles = styles or tuple(name for name, style in masks.STYLES.items() if not style.scarf)
    shares = np.array([masks.STYLES[name].share for name in styles], float)
    others = [w for w in WRONG_SHARES if wears is None or w in wears]
    odds = np.array([WRONG_SHARES[w] for w in others])
    made = []
    for _ in range(count):
        seed = int(rng.integers(2**31))
        incorrectly = bool(others) and rng.random() < wrong
        wear = others[rng.choice(len(others), p=odds / odds.sum())] if incorrectly else NAMES[0]
        style = styles[rng.choice(len(styles), p=shares / shares.sum())]
        with_it = _beside(wear, rng, beside) if beside else ""
        made.append(Wish("mask", style, wear, seed, with_it))
    return made


def _beside(wear: str, rng: np.random.Generator, share: float) -> str:
    """What is seen together with a mask, mostly nothing; a thing held before it only where it sits well."""
    if rng.random() >= share:
        return ""
    known = masks.UNDER + (masks.BEFORE if wear == NAMES[0] else ())
    return known[rng.integers(len(known))]


def lookalikes(count: int, *, rng: np.random.Generator) -> list[Wish]:
    """Hands, cups, beards and what else the generator can lay over a mouth."""
    known = tuple(masks.LOOKALIKES)
    names = [known[i] for i in rng.integers(len(known), size=count)]
    return [Wish("lookalike", name, "", int(rng.integers(2**31))) for name in names]


@dataclass(frozen=True)
class Draw:
    """(number, image, box, wishes) of one face → its number, wide crops (k, side, side, 3), what they show; picklable.

    A label "" means: the face's own. Raises batch.Skip where no landmarks are plausible or nothing would be seen.
    """

    side: int

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
        for wish in wanted:
            made, label = self.made(rgb, points, wish, box=box_)
            if made is not None:
                crops.append(boxes.crop(_again(made, wish.seed), box_, margin=WIDE, size=self.side))
                told.append({"label": label, "style": wish.name, "wear": wish.wear})
        if not crops:
            raise batch.Skip("what was drawn would not be seen")
        return number, np.stack(crops), told

    def made(
        self, rgb: np.ndarray, points: np.ndarray, wish: Wish, *, box: np.ndarray
    ) -> tuple[np.ndarray | None, str]:
        """The picture and its label; None where what was drawn lies outside, as a mask below a tight crop's chin."""
        rng = np.random.default_rng(wish.seed)
        if wish.kind in ("as it is", "placed"):
            return rgb, ""
        try:
            if wish.kind == "lookalike":
                result = masks.cover_with(rgb, points, kind=wish.name, rng=rng)
            elif wish.beside:
                how: dict[str, Any] = {"style": wish.name, "wear": wish.wear, "rng": rng}
                result = masks.together(rgb, points, beside=wish.beside, **how)
            else:
                result = masks.put_on(rgb, points, style=wish.name, wear=wish.wear, rng=rng)
        except ValueError:  # outside the photo
            return None, ""
        return (result.rgb if _seen(result.mask, box) else None), result.label


@cache
def _locator() -> landmarks.Locator:
    return landmarks.finder()


def _part(rgb: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The photo around a face, far enough that nothing drawn or cropped ends at the cut.

    Mirroring tight crops past their edges was tried, and was worse on real faces than the repeated border.
    """
    h, w = rgb.shape[:2]
    x1, y1, x2, y2 = np.round(boxes.widen(boxes.square(box[None]), 1.2, size=(w, h))[0]).astype(int)
    return np.ascontiguousarray(rgb[y1:y2, x1:x2]), box - (x1, y1, x1, y1)


def _seen(mask: np.ndarray, box: np.ndarray, *, least: float = 0.05) -> bool:
    """Whether enough fabric, as a share of the box, lies where the network looks."""
    h, w = mask.shape
    x1, y1, x2, y2 = np.round(boxes.widen(boxes.square(box[None]), 0.2, size=(w, h))[0]).astype(int)
    return bool((mask[y1:y2, x1:x2] == masks.FABRIC).sum() >= least * boxes.area(box[None])[0])


def _again(rgb: np.ndarray, seed: int) -> np.ndarray:
    """The photo saved as JPEG once more: what is drawn and what is bare have the same history."""
    quality = int(np.random.default_rng([seed, 7]).integers(60, 96))
    data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def pictured(
    rows: "pd.DataFrame",
    wanted: Sequence[tuple[Wish, ...]],
    draw: Draw,
    *,
    cache: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", np.ndarray, dict[str, int]]:
    """A row and a wide crop for every picture wished for of each row, and why others could not be had, counted.

    cache: a folder that keeps the crops under a name made of files, boxes, wishes and the drawing code.
    """
    jobs = list(zip(rows["image"], (tuple(map(float, b)) for b in rows[BOX].to_numpy()), wanted, strict=True))
    path = None if cache is None else Path(cache) / f"drawn-{_key(jobs, draw)}.npz"
    if path is None or not path.is_file():
        arrays = _arrays(jobs, draw, executor, progress)
        if path is not None:
            _save(path, arrays)
    else:
        with np.load(path, allow_pickle=False) as kept:
            arrays = dict(kept)
    words = arrays["words"].reshape(-1, 3)
    table = rows.iloc[arrays["of"]].reset_index(drop=True).assign(style=words[:, 1], wear=words[:, 2])
    table["label"] = np.where(words[:, 0] != "", words[:, 0], table["label"].to_numpy(str))
    return table, arrays["crops"], dict(zip(arrays["reasons"].tolist(), arrays["times"].tolist(), strict=True))


def _arrays(jobs: list[Any], draw: Draw, executor: Executor | None, progress: Callable | None) -> dict[str, Any]:
    import pandas as pd

    numbered = [(i, *job) for i, job in enumerate(jobs)]
    made, skipped = batch.run(draw, numbered, executor=executor, progress=progress)
    of = np.array([i for i, _, told in made for _ in told], int)
    crops = np.concatenate([np.zeros((0, draw.side, draw.side, 3), np.uint8), *(c for _, c, _ in made)])
    words = np.array([[t["label"], t["style"], t["wear"]] for _, _, told in made for t in told], str)
    reasons = pd.Series([row["reason"].split(" (")[0].split(";")[0] for row in skipped], dtype=str)
    plain = reasons.str.replace(r"[\d.,]+", "#", regex=True).value_counts()
    told = {"reasons": np.array(plain.index, str), "times": plain.to_numpy(int)}
    return {"of": of, "crops": crops, "words": words} | told


def _save(path: Path, arrays: dict[str, Any]) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, file.getvalue())


def _key(jobs: list[Any], draw: Draw) -> str:
    """What the pictures depend on: files, boxes, wishes, and, where something is drawn, the drawing code."""
    digest = hashlib.sha256(repr(draw).encode())
    digest.update(Path(__file__).read_bytes())
    if any(wish.kind not in ("as it is", "placed") for _, _, wanted in jobs for wish in wanted):
        for source in sorted(Path(masks.__file__).parent.rglob("*.py")):
            digest.update(source.read_bytes())
    for image, box, wanted in jobs:
        digest.update(f"{images.sha256(image)} {box} {wanted}".encode())
    return digest.hexdigest()[:20]


def chance(units: Iterable[str], salt: str) -> np.ndarray:
    """A number 0–1 for each unit that depends on its name and the salt alone."""
    return np.array([int(hashlib.sha256(f"{salt} {u}".encode()).hexdigest()[:12], 16) / 16**12 for u in units])


def drawable(table: "pd.DataFrame") -> np.ndarray:
    """Which faces (n,) may be drawn on: bare, by a source whose bare faces are, and no labelled mask in the wide crop.

    A photo in which somebody else wears a mask is used too: only the bare face is cut out or drawn on.
    """
    usable = ((table["label"] == NAMES[1]) & (table["source"] != DOUBTFUL)).to_numpy(copy=True)
    masked = table[table["label"] != NAMES[1]].groupby("image")[BOX].apply(lambda p: p.to_numpy(float)).to_dict()
    for row in np.flatnonzero(usable & table["image"].isin(masked).to_numpy()):
        near = boxes.square(boxes.widen(table[BOX].iloc[row].to_numpy(float)[None], 0.2))[0]
        others = masked[table["image"].iloc[row]]
        centre = (others[:, :2] + others[:, 2:]) / 2
        usable[row] = not bool(((centre > near[:2]) & (centre < near[2:])).all(1).any())
    return usable


def drawn(
    table: "pd.DataFrame",
    amount: Amount,
    *,
    side: int,
    seed: int = 0,
    cache: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", np.ndarray, np.ndarray]:
    """Drawn faces for the training side of a table: (rows, wide crops (m, side, side, 3), which rows (n,) may stay).

    The people (groups) that become parents give no bare negative any more: a photo whose masked copy is a positive
    cannot be one, or the network learns the drawing. Look-alikes are drawn on the others, who stay bare as well. Rows
    have origin 'artificial', their parent's image, group and split, and columns style and wear.
    """
    import pandas as pd

    may = drawable(table) & (table["split"] == "train").to_numpy()
    sizes = table["group"].map(table["group"].value_counts()).to_numpy()
    chosen = may & (chance(table["group"], f"parents {seed}") < amount.parents) & (sizes <= FAMILY)
    gone = table["group"].isin(set(table.loc[chosen, "group"])).to_numpy() & (table["label"] == NAMES[1]).to_numpy()
    parents, rng = table[chosen], np.random.default_rng(seed)
    each = -(-amount.masked // max(1, round(chosen.sum() * 0.9)))  # about a tenth cannot be drawn on
    chances = [np.random.default_rng([seed, *_four(row)]) for row in parents.itertuples()]
    wanted = [tuple(wishes(each, wrong=amount.wrong, rng=one)) for one in chances]
    how: dict[str, Any] = {"cache": cache, "executor": executor, "progress": progress}
    made, crops, _ = pictured(parents, wanted, Draw(side), **how)
    some = np.sort(rng.permutation(len(made))[: amount.masked])
    covered = table[may & ~gone]
    covered = covered.iloc[np.sort(rng.permutation(len(covered))[: amount.alike])]
    alike = [tuple(lookalikes(1, rng=np.random.default_rng([seed, *_four(row)]))) for row in covered.itertuples()]
    more, more_crops, _ = pictured(covered, alike, Draw(side), **how)
    rows = pd.concat([made.iloc[some], more], ignore_index=True)
    return rows.assign(origin="artificial", parent=rows["image"]), np.concatenate([crops[some], more_crops]), ~gone


def _four(row: Any) -> bytes:
    """A face's own chance: a change of the list changes no other face."""
    return hashlib.sha256(f"{Path(row.image).name} {row.x1:.0f}".encode()).digest()[:4]
