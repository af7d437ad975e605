"""The real faces: all that may train, boxed and grouped; those of the tests; the listed look-alikes."""

from concurrent.futures import Executor
from pathlib import Path

import pandas as pd

from lib import assets, dataset, dedupe, faces, images, labels
from lib.classes import NAMES
from lib.train.recipe import OVERLAP, TWIN_BITS, TWINS, gather
from lib.train.recipe import listed as lines

__all__ = ["grouped", "listed", "lookalikes", "prepared", "tested"]

BOX = ["x1", "y1", "x2", "y2"]
RECORD = "photos-853"
MIN_SIDE = 20  # pixels of the shorter side of a face of photos-853


def prepared(data: Path, *, cache: Path, executor: Executor | None = None) -> pd.DataFrame:
    """All faces of the recipe's folders, boxed as it does, and of the test of record, with unit and copies.

    unit: what must not be torn apart: a photo, its copies, its person. copies: a photo and its copies alone.
    """
    table = pd.concat([gather(data, leave_out=lines(assets.models() / OVERLAP)), of_record(data)], ignore_index=True)
    table = table.assign(group="")
    path = cache / f"faces-{images.sha256(table.to_csv(index=False).encode())[:16]}.parquet"
    if path.is_file():
        return dataset.read(path)
    boxed = dataset.locate(table, faces.finder(), executor=executor)
    prints, _ = dedupe.fingerprints(sorted(set(boxed["image"])), executor=executor)
    told = grouped(boxed, dedupe.groups(prints, max_distance=TWINS, max_bits=TWIN_BITS))
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.write(told, path)
    return told


def grouped(boxed: pd.DataFrame, twins: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns unit and copies."""
    same = dict(zip(twins["image"], "copies " + twins["group"].astype(str), strict=True))
    copies = [same.get(image, image) for image in boxed["image"]]
    unit = dataset.group(boxed, twins=twins)["group"]
    return boxed.reset_index(drop=True).assign(unit=unit.to_numpy(), copies=copies)


def of_record(data: Path) -> pd.DataFrame:
    """The labelled faces of photos-853 of 20 px and more, as published.

    They train only where another set is tested on, and no such model is scored here.
    """
    table = labels.read_folder(data / RECORD, clip=False)[0].assign(source=RECORD)  # boxes as published: 317, not 316
    sides = (table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy()).min(1)
    return table[sides >= MIN_SIDE].reset_index(drop=True)


def tested(test: str, faces_: pd.DataFrame) -> pd.DataFrame:
    """The faces that a test counts: labelled boxes of 20 px and more, or the face found in each picture of faces-4k.

    The intervals of photos-853 are drawn by photo, as the scorer of record does it.
    """
    rows = faces_[faces_["source"] == test].reset_index(drop=True)
    return rows.assign(unit=rows["image"]) if test == RECORD else rows


def listed(path: Path) -> pd.DataFrame:
    """The list of look-alike faces: file, x1, y1, x2, y2, kind, note; empty where there is no list."""
    if not path.is_file():
        return pd.DataFrame(columns=["file", "x1", "y1", "x2", "y2", "kind", "note"])
    return pd.read_csv(path, comment="#").fillna({"kind": "", "note": ""})


def lookalikes(listed: pd.DataFrame, faces_: pd.DataFrame, data: Path) -> pd.DataFrame:
    """The listed faces as a table of faces without a mask; unit is the photo.

    A line without a box means the one face of its picture: the box is the one that `prepared` found.
    """
    paths = [str(data / file) for file in listed["file"]]
    table = listed.assign(image=paths, label=NAMES[1], source="look-alikes", unit=paths).reset_index(drop=True)
    found = faces_.drop_duplicates("image").set_index("image")[BOX]
    for corner in BOX:
        table[corner] = table[corner].astype(float).fillna(table["image"].map(found[corner]))
    lacking = table.loc[table[BOX].isna().any(axis=1), "file"].tolist()
    if lacking:
        raise ValueError(
            f"list of look-alikes: {len(lacking)} lines have no box and no face was found, first {lacking[0]}"
        )
    return table
