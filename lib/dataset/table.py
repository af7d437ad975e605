"""The table of faces as such: files, names, joining."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import batch, classes, images

__all__ = ["BOX", "bare", "join", "keys", "promised", "read", "said", "write"]

BOX = ["x1", "y1", "x2", "y2"]
TEXT = ("image", "label", "source", "origin", "group", "parent", "split", "framing")


def read(path: str | Path) -> pd.DataFrame:
    """The table of faces of a Parquet file; raises FileNotFoundError that says which step makes it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"table of faces: {path} is not there; notebook 03 (or dataset.write) makes it")
    return pd.read_parquet(path)


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """Save the table of faces as Parquet, whole or not at all."""
    return images.write(path, table.to_parquet(index=False))


def keys(table: pd.DataFrame) -> pd.Series:
    """A name for every row's image that holds on any machine: source/folder/file.

    Where several images would share it, they go by their paths below the folder that they have in common.
    """
    paths = [Path(i).absolute() for i in table["image"]]
    source = table["source"] if "source" in table else pd.Series("", index=table.index)
    short = [f"{s}/{p.parent.name}/{p.name}" for s, p in zip(source, paths, strict=True)]
    sharing: dict[str, set[Path]] = {}
    for key, path in zip(short, paths, strict=True):
        sharing.setdefault(key, set()).add(path)
    root = {key: os.path.commonpath([p.parent for p in members]) for key, members in sharing.items()}
    long = [
        f"{s}/{p.relative_to(root[key]).as_posix()}" if len(sharing[key]) > 1 else key
        for s, key, p in zip(source, short, paths, strict=True)
    ]
    return pd.Series(long, index=table.index)


def promised(kept: pd.DataFrame, *, source: str = "") -> pd.DataFrame:
    """The images that a manifest keeps as a table of faces: whole images with the label that their query promised.

    kept: as `Manifest.kept` gives it; images without a promised label stay out. `locate` then finds the faces.
    """
    told = kept[kept["label"].isin(classes.NAMES)]
    rows = pd.DataFrame({"image": told["path"].astype(str), "x1": 0.0, "y1": 0.0, "x2": told["width"].astype(float)})
    rows = rows.assign(y2=told["height"].astype(float), label=told["label"], source=source, origin="auto")
    return rows.assign(group="", parent="", split="", score=np.nan, framing="whole").reset_index(drop=True)


def bare(
    kept: pd.DataFrame,
    said: pd.DataFrame,
    *,
    ask: Callable[[np.ndarray], Any],
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The kept photos on which every face is bare: (rows of kept, skipped with the reason).

    kept: as `Manifest.kept` gives it; photos that were promised as something else stay out. said: the faces that people
    labelled; their word stands. About every other photo `ask` (rgb -> sv.Detections with class_name, as
    `detect.MaskDetector`) is asked, whatever its query promised: one face that is not clearly without_mask, or none at
    all, sets the photo aside.
    """
    hashes = said["image"].map({str(i): images.sha256(i) for i in said["image"].unique()})
    masked = set(hashes[said["label"] != classes.NAMES[1]])
    photos = kept[kept["label"].isin(["", classes.NAMES[1]]) & ~kept["sha256"].isin(masked)]
    unsaid = photos.loc[~photos["sha256"].isin(set(hashes)), "path"]
    _, skipped = batch.run(_Bare(ask), unsaid, progress=progress)
    return photos[~photos["path"].astype(str).isin({s["item"] for s in skipped})], skipped


@dataclass(frozen=True)
class _Bare:
    ask: Callable[[np.ndarray], Any]

    def __call__(self, path: str | Path) -> None:
        found = self.ask(images.read(path))
        if not len(found):
            raise batch.Skip("no face found")
        others = set(map(str, found.data["class_name"])) - {classes.NAMES[1]}
        if others:
            raise batch.Skip(f"a face may wear a mask already: {', '.join(sorted(others))}")


def join(*tables: pd.DataFrame) -> pd.DataFrame:
    """Several tables of faces as one: a face that stands in two of them (same image, same box) counts once, the first.

    Missing columns are filled with what means nothing said. Empty tables are welcome.
    """
    filled = [t for t in tables if len(t)]
    if not filled:
        return tables[0].iloc[:0].copy() if tables else pd.DataFrame(columns=["image", *BOX, "label"])
    table = pd.concat(filled, ignore_index=True)
    words = [c for c in table.columns if c in TEXT]
    table[words] = table[words].astype(object).where(table[words].notna(), "")
    place = table[BOX].assign(image=[str(Path(image).resolve()) for image in table["image"]])
    return table[~place.duplicated()].reset_index(drop=True)


def said(value: Any) -> bool:
    """Whether a cell of the table says anything: neither missing nor empty."""
    return value is not None and value == value and str(value) != ""
