"""The photos of one look, decoded once: pixels in one file, faces in one table, none of the test of record."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import assets, batch, boxes, faces, files, images, labels, landmarks, masks
from ...classes import NAMES
from ...workspace import Workspace
from ..recipe import BARE, CORRECTIONS, FOLDERS, prepared
from .targets import IGNORED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Album", "album"]

log = logging.getLogger(__name__)

CROPS, WHOLE, MASKED = FOLDERS[0], FOLDERS[1:], "photos-bare masked"
SIDE = {CROPS: 224}  # longer side of what is kept, in pixels
PHOTO_SIDE = 416
DOUBT = 0.3  # a face that the finder gives so much and nobody boxed is neither taught nor called background
BOX = ["x1", "y1", "x2", "y2"]
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Album:
    """Decoded photos: `rgb(i)`, and their faces `boxes[i]` (n, 4), `labels[i]` (n,), with `sources` and `splits`.

    A label is an index into `classes.NAMES`, or `IGNORED`.
    """

    names: list[str]
    sources: np.ndarray
    splits: np.ndarray
    boxes: list[np.ndarray]
    labels: list[np.ndarray]
    pixels: np.ndarray
    places: np.ndarray  # offset, height, width

    def rgb(self, index: int) -> np.ndarray:
        """One photo, rgb (h, w, 3)."""
        start, h, w = (int(v) for v in self.places[index])
        return np.asarray(self.pixels[start : start + h * w * 3]).reshape(h, w, 3)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def train(self) -> dict[str, np.ndarray]:
        """The photos that may be shown, as indices by source."""
        able = self.splits == "train"
        return {str(s): np.flatnonzero(able & (self.sources == s)) for s in sorted(set(self.sources[able]))}

    @classmethod
    def of(cls, photos: list[np.ndarray], table: "pd.DataFrame") -> "Album":
        """An album of photos and of the table of their faces: image (an index), x1 … y2, label, source, split."""
        shapes = np.array([p.shape[:2] for p in photos], np.int64).reshape(-1, 2)
        sizes = shapes.prod(axis=1) * 3
        places = np.column_stack([np.cumsum(sizes) - sizes, shapes])
        pixels = np.concatenate([np.zeros(0, np.uint8), *(p.reshape(-1) for p in photos)])
        return cls._of(table if "name" in table else table.assign(name=table["image"].map(str)), pixels, places)

    @classmethod
    def read(cls, table: "pd.DataFrame", *, max_side: int = PHOTO_SIDE) -> "Album":
        """An album of a table of faces with a split, as `dataset.split` gives it: each photo read once and shrunk.

        For photos whose every face has a row: what nobody boxed is taught as background.
        """
        photos, rows = [], []
        for i, (path, own) in enumerate(table.groupby("image", sort=True)):
            rgb = images.read(str(path))
            photos.append(images.resize(rgb, max_side) if max(rgb.shape[:2]) > max_side else rgb)
            h, w = photos[-1].shape[:2]
            scale = np.array([w / rgb.shape[1], h / rgb.shape[0]] * 2)
            rows.append(own.assign(name=str(path), image=i))
            rows[-1][BOX] = own[BOX].to_numpy(float) * scale
        return cls.of(photos, _joined(rows))

    @classmethod
    def _of(cls, table: "pd.DataFrame", pixels: np.ndarray, places: np.ndarray) -> "Album":
        known = {name: i for i, name in enumerate(NAMES)}
        by_photo = {int(index): rows for index, rows in table.groupby("image")}
        rows = [by_photo[i] for i in range(len(places))]
        return cls(
            [str(r["name"].iloc[0]) for r in rows],
            np.array([r["source"].iloc[0] for r in rows], object),
            np.array([r["split"].iloc[0] for r in rows], object),
            [r[BOX].to_numpy(float) for r in rows],
            [np.array([known.get(name, IGNORED) for name in r["label"]], int) for r in rows],
            pixels,
            places,
        )


def _joined(rows: list["pd.DataFrame"]) -> "pd.DataFrame":
    import pandas as pd

    return pd.concat(rows, ignore_index=True)


def album(
    data: str | Path, *, cache: str | Path, executor: Executor | None = None, progress: Progress | None = None
) -> Album:
    """Gather, box and decode the photos that one look learns from; `cache` keeps masks, boxes and pixels.

    Split and what is left out are the recipe's. photos-labelled and photos-worn-incorrectly keep their boxes,
    photos-bare those that two detectors agree on, bare and with artificial masks; of faces-4k the face that a detector
    found. Whatever else YuNet sees is ignored.
    """
    import pandas as pd

    cache = Path(cache)
    how: dict[str, Any] = {"executor": executor, "progress": progress}
    sides = prepared(data, cache=cache, **how)
    sides["label"] = sides["label"].astype(str)
    known = pd.concat([_boxed(Path(data), sides), _masked(sides, cache, **how)], ignore_index=True)
    digest = files.sha256(f"{known.to_csv(index=False)}{DOUBT}{SIDE}{PHOTO_SIDE}".encode())[:16]
    target = cache / f"album-{digest}"
    if not (target / "faces.parquet").is_file():
        _decode(known, target, **how)
    table = pd.read_parquet(target / "faces.parquet")
    pixels = np.load(target / "pixels.npy", mmap_mode="r")
    return Album._of(table, pixels, np.load(target / "places.npy"))


def _boxed(data: Path, sides: "pd.DataFrame") -> "pd.DataFrame":
    """Faces of real photos: the sets' own boxes whatever their size, and one box a crop."""
    import pandas as pd

    split = sides.drop_duplicates("image").set_index("image")["split"]
    tables = [sides[sides["source"].eq(BARE) | (sides["source"].eq(CROPS) & sides["framing"].eq("found"))]]
    for name in WHOLE:
        if (data / name).is_dir():
            read = labels.read_folder(data / name, corrections=assets.models() / CORRECTIONS)[0]
            tables.append(read[read["image"].isin(split.index)].assign(source=name))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(split=table["image"].map(split))[["image", *BOX, "label", "source", "split"]]


def _masked(sides: "pd.DataFrame", cache: Path, **how: Any) -> "pd.DataFrame":
    """The bare photos with masks drawn on them; of the faces that stay bare only those that were boxed count."""
    bare = sides[sides["source"].eq(BARE) & sides["split"].eq("train")]
    made, skipped = masks.generate(
        bare["image"], into=Workspace(cache / "masks"), find=faces.finder("yunet"), locate=landmarks.finder(),
        refuse=landmarks.implausible, write_labels=labels.write_voc, per_face=2, lookalikes=0.15, **how,
    )  # fmt: skip
    log.info("one look: %d pictures with drawn masks, %d faces refused", made["image"].nunique(), len(skipped))
    parents = {images.sha256(image): box for image, box in zip(bare["image"], bare[BOX].to_numpy(float), strict=True)}
    own = np.array([parents[p] for p in made["parent"]], float).reshape(-1, 4)
    agree = [boxes.iou(a[None], b[None])[0, 0] >= 0.5 for a, b in zip(made[BOX].to_numpy(float), own, strict=True)]
    told = made["origin"].eq("artificial") | np.array(agree, bool)
    table = made.assign(label=made["label"].where(told, ""), source=MASKED, split="train")
    return table[["image", *BOX, "label", "source", "split"]]


def _decode(known: "pd.DataFrame", target: Path, **how: Any) -> None:
    """Look for faces that nobody boxed, shrink the photos, and write both."""
    import pandas as pd

    jobs = [(str(image), rows) for image, rows in known.groupby("image", sort=True)]
    look, glance = (faces.finder("yunet", min_score=DOUBT, max_side=side) for side in (640, 320))
    made, skipped = batch.run(_Shrink(look, glance), jobs, **how)
    log.info("one look: %d photos decoded, %d left out", len(made), len(skipped))
    photos = [rgb for rgb, _ in made]
    table = pd.concat([t.assign(image=i) for i, (_, t) in enumerate(made)], ignore_index=True)
    shapes = np.array([p.shape[:2] for p in photos], np.int64)
    sizes = shapes.prod(axis=1) * 3
    target.mkdir(parents=True, exist_ok=True)
    np.save(target / "places.npy", np.column_stack([np.cumsum(sizes) - sizes, shapes]))
    np.save(target / "pixels.npy", np.concatenate([p.reshape(-1) for p in photos]))
    files.write(target / "faces.parquet", table.to_parquet(index=False))  # last: it says that all is there


@dataclass(frozen=True)
class _Shrink:
    look: faces.Finder
    glance: faces.Finder  # for crops, which are small

    def __call__(self, job: tuple[str, "pd.DataFrame"]) -> tuple[np.ndarray, "pd.DataFrame"]:
        """A photo as it is kept, and its faces in its pixels with those that nobody boxed."""
        import pandas as pd

        path, rows = job
        rgb, source = images.read(path), str(rows["source"].iloc[0])
        xyxy, names = rows[BOX].to_numpy(float), rows["label"].to_numpy(object)
        find = self.glance if source == CROPS else self.look
        seen = np.zeros((0, 4)) if source == MASKED else np.asarray(find(rgb).xyxy, float).reshape(-1, 4)
        overlap = boxes.iou(seen, xyxy)
        if source == BARE:  # a face counts where a second detector finds it too
            names = np.where(overlap.max(axis=0, initial=0) >= 0.5, names, "")
        new = seen[overlap.max(axis=1, initial=0) < 0.3]
        small = images.resize(rgb, SIDE.get(source, PHOTO_SIDE))
        scale = np.array([small.shape[1] / rgb.shape[1], small.shape[0] / rgb.shape[0]] * 2)
        table = pd.DataFrame(np.concatenate([xyxy, new]) * scale, columns=BOX)
        told = {"label": [*names, *[""] * len(new)], "source": source, "split": rows["split"].iloc[0]}
        return small, table.assign(name="/".join(Path(path).parts[-3:]), **told)
