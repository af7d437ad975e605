"""The real faces: all that may train, boxed and grouped; those of the tests; the listed look-alikes."""

from concurrent.futures import Executor
from pathlib import Path

import pandas as pd

from lib import assets, dataset, dedupe, faces, images, labels
from lib.classes import NAMES
from lib.train.recipe import OVERLAP, TWIN_BITS, TWINS, gather, prepare
from lib.train.recipe import listed as lines

__all__ = ["listed", "lookalikes", "prepared", "tested"]

MIN_SIDE = 20  # pixels of the shorter side of a face of photos-853
FAMILY = "portraits and their copies"  # the recipe keeps these 680 files of faces-4k in one group


def prepared(data: Path, *, cache: Path, executor: Executor | None = None) -> pd.DataFrame:
    """All faces of the recipe's folders, boxed and grouped as it does; unit: what must not be torn apart.

    A unit is the recipe's group. Only its one large group of portraits is told apart again, by photo and copies of it.
    """
    table = gather(data, leave_out=lines(assets.models() / OVERLAP))
    path = cache / f"faces-{images.sha256(table.to_csv(index=False).encode())[:16]}.parquet"
    if path.is_file():
        return dataset.read(path)
    boxed = prepare(table, find=faces.finder(), executor=executor).assign(unit=lambda t: t["group"])
    family = boxed["group"].isin(boxed.loc[_portraits(boxed), "group"])
    boxed.loc[family, "unit"] = _units(boxed[family], executor=executor).to_numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.write(boxed, path)
    return boxed


def _portraits(table: pd.DataFrame) -> pd.Series:
    """Bare faces of faces-4k whose file names tell no person."""
    from lib.train.recipe import _families

    return pd.Series(_families(table) == FAMILY, index=table.index)


def _units(rows: pd.DataFrame, *, executor: Executor | None) -> pd.Series:
    prints, _ = dedupe.fingerprints(sorted(set(rows["image"])), executor=executor)
    twins = dedupe.groups(prints, max_distance=TWINS, max_bits=TWIN_BITS)
    return "portrait " + dataset.group(rows.assign(group=""), twins=twins)["group"].astype(str)


def tested(test: str, faces_: pd.DataFrame, data: Path) -> pd.DataFrame:
    """The faces that a test counts: labelled boxes of 20 px and more, or the face found in each picture of faces-4k."""
    if test == "faces-4k":
        return faces_[faces_["source"] == test].reset_index(drop=True)
    table = labels.read_folder(data / test)[0].assign(source=test)
    sides = (table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy()).min(1)
    return table[sides >= MIN_SIDE].assign(unit=lambda t: t["image"]).reset_index(drop=True)


def listed(path: Path) -> pd.DataFrame:
    """The list of look-alike faces: file, x1, y1, x2, y2, kind, note; empty where there is no list."""
    if not path.is_file():
        return pd.DataFrame(columns=["file", "x1", "y1", "x2", "y2", "kind", "note"])
    return pd.read_csv(path, comment="#").fillna({"kind": "", "note": ""})


def lookalikes(listed: pd.DataFrame, data: Path) -> pd.DataFrame:
    """The listed faces as a table of faces without a mask; unit is the photo."""
    paths = [str(data / file) for file in listed["file"]]
    return listed.assign(image=paths, label=NAMES[1], source="look-alikes", unit=paths).reset_index(drop=True)
