"""Folders of crops: a photo's folder names its class, and the whole image is the box."""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import batch, classes, files, images
from .columns import table
from .photos import PHOTO_FOLDERS, checked_size

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Crop", "class_folders", "free", "whole", "write_crops"]

_LOSSLESS = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True)
class Crop:
    """A photo that its folder names the class of; shown by its path."""

    photo: Path
    label: str

    def __str__(self) -> str:
        return str(self.photo)


def class_folders(folder: Path, photos: list[Path]) -> tuple[list[Crop], list[dict[str, Any]]]:
    """(photo, class) for photos below a folder named like a class; and folders beside those that name none."""
    found: list[Crop] = []
    unknown: dict[Path, int] = {}
    class_roots: set[Path] = set()
    for photo in photos:
        for parent in photo.relative_to(folder).parents:
            try:
                label = classes.canonical(parent.name) if parent.name else ""
            except ValueError:
                continue
            if label:
                found.append(Crop(photo, label))
                class_roots.add((folder / parent).parent)
                break
        else:
            unknown[photo.parent] = unknown.get(photo.parent, 0) + 1
    beside = [
        (p, n) for p, n in unknown.items() if p.parent in class_roots and p != folder and p.name not in PHOTO_FOLDERS
    ]
    reason = "unknown class {name!r}: the folder is named like none; its {n} photos have no label"
    wrong = [{"file": str(p), "line": 0, "reason": reason.format(name=p.name, n=n)} for p, n in beside]
    return found, wrong


def whole(crop: Crop) -> dict[str, Any]:
    """The row of a photo whose box is the whole image. Raises UnreadableImage."""
    w, h = checked_size(crop.photo)
    return dict(image=str(crop), x1=0, y1=0, x2=w, y2=h, label=crop.label, origin="manual", framing="whole")


def free(stem: str, taken: set[str]) -> str:
    """The stem, or the stem with the first number that nobody has taken; it is taken now."""
    name, n = stem, 1
    while name.lower() in taken:  # two names that differ in case alone are one on Windows and macOS
        n += 1
        name = f"{stem}-{n}"
    taken.add(name.lower())
    return name


@dataclass(frozen=True)
class _Cuts:
    """One photo, its faces, and where each goes; shown by the photo's path."""

    photo: str
    rows: tuple[dict[str, Any], ...]
    targets: tuple[Path, ...]

    def __str__(self) -> str:
        return self.photo


def write_crops(
    into: str | Path,
    faces: "pd.DataFrame",
    *,
    root: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Cut every face of a table out of its photo into `into`/CLASS/: (table of the crops, skipped photos).

    A crop has the pixels that its box touches, upright, losslessly as PNG where the photo is; a photo that was one
    face as a whole is copied byte by byte. Its name is the photo's, with the folders below root, and a number.
    Raises ValueError where a file of such a name is there already.
    """
    into, taken, work = Path(into), set[str](), []
    for photo, rows in faces.groupby("image", sort=False):
        records = rows.to_dict("records")
        targets = [into / row["label"] / _name(Path(str(photo)), row, taken, root) for row in records]
        for target in targets:
            files.spare(target, str(photo))
        work.append(_Cuts(str(photo), tuple(records), tuple(targets)))
    made, skipped = batch.run(_cut, work, executor=executor, progress=progress)
    return table([row for rows in made for row in rows]), skipped


def _name(photo: Path, row: dict[str, Any], taken: set[str], root: str | Path | None) -> str:
    """One flat name: a folder of the photo's that is named like a class must not speak for the crop."""
    below = photo.relative_to(root) if root is not None and photo.is_relative_to(root) else Path(photo.name)
    stem = free("-".join((*below.parent.parts, photo.stem)), taken)
    if row.get("framing") == "whole":
        return stem + photo.suffix.lower()
    return stem + (".png" if photo.suffix.lower() in _LOSSLESS else ".jpg")


def _cut(cuts: _Cuts) -> list[dict[str, Any]]:
    rgb, found = None, []
    for row, target in zip(cuts.rows, cuts.targets, strict=True):
        if row.get("framing") == "whole":
            files.write(target, Path(cuts.photo).read_bytes())
            w, h = images.size(target)
        else:
            rgb = images.read(cuts.photo) if rgb is None else rgb
            x1, y1 = max(0, math.floor(row["x1"])), max(0, math.floor(row["y1"]))
            face = rgb[y1 : math.ceil(row["y2"]), x1 : math.ceil(row["x2"])]
            images.write(target, face, quality=95)
            h, w = face.shape[:2]
        own = dict(image=str(target), x1=0, y1=0, x2=w, y2=h, framing="whole", parent=row.get("parent") or cuts.photo)
        found.append({**row, **own})
    return found
