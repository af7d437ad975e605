"""Who teaches and who tests: which faces each arm may train on, as tables that hold no tested and no held-out face."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classes import NAMES
from lib.train.drawing import chance, drawable

__all__ = ["ARMS", "Arm", "Counts", "bare", "development", "origins", "outlay", "pool", "real"]

WITH, WITHOUT, WRONG = NAMES
BOX = ["x1", "y1", "x2", "y2"]
PARENTS, VALIDATION, HELD_OUT = 0.5, 0.15, 0.25  # shares of people or scenes
COPIES = "augmented_image"  # files of faces-4k that are turned copies of its portraits


@dataclass(frozen=True)
class Arm:
    """One way of getting faces with a mask; how each is made is told in `pictures`.

    masks: 'drawn' by lib.masks, 'flat' as the tutorials paste it, or 'real' photos. styles, wears: None is all.
    lit: whether light, blur and grain of the photo are matched. lookalikes: whether what is no mask is drawn too.
    """

    masks: str = "drawn"
    styles: tuple[str, ...] | None = None
    wears: tuple[str, ...] | None = None
    lit: bool = True
    lookalikes: bool = True


ARMS = {
    "real": Arm("real", lookalikes=False),
    "artificial": Arm(),
    "one-blue": Arm("flat", wears=(WITH,), lookalikes=False),
    "no-style-variety": Arm(styles=("surgical-blue",)),
    "no-light": Arm(lit=False),
    "no-wears": Arm(wears=(WITH,)),
    "no-lookalikes": Arm(lookalikes=False),
}


@dataclass(frozen=True)
class Counts:
    """How many faces an arm has at most: with a mask, of them worn incorrectly (a share), bare, and look-alikes."""

    masked: int = 2600
    wrong: float = 0.15
    bare: int = 1400
    lookalikes: int = 350

    def limited(self, most: int | None) -> "Counts":
        """The same shares of at most so many faces, for a trial."""
        whole = self.masked + self.bare + self.lookalikes
        if most is None or most >= whole:
            return self
        part = most / whole
        return Counts(round(self.masked * part), self.wrong, round(self.bare * part), round(self.lookalikes * part))


def origins(table: pd.DataFrame) -> pd.Series:
    """Where each face comes from: folders that share an origin share a name, so that none trains for its own test."""
    prefix = {"obs": "faces-4k", "ilc": "ilc", "ilcx": "ilc", "spt": "spt"}
    of = {"photos-labelled": "ilc", "photos-worn-incorrectly": "ilc"}
    names = [
        prefix.get(Path(image).name.split("-")[0], source) if source == "photos-bare" else of.get(source, source)
        for image, source in zip(table["image"], table["source"], strict=True)
    ]
    return pd.Series(names, index=table.index)


def outlay(faces: pd.DataFrame, listed: pd.DataFrame, data: str | Path) -> np.ndarray:
    """Which faces (n,) are listed look-alikes or belong to one: the whole photo and its copies; a beard's whole person.

    listed: rows of file (below data) and kind. Belonging together is told by the columns image, copies and unit.
    """
    paths = pd.Series([str(Path(data) / file) for file in listed["file"]], dtype=str)
    named = faces["image"].isin(set(paths))
    bearded = faces["image"].isin(set(paths[(listed["kind"] == "beard").to_numpy()]))
    copies, people = set(faces.loc[named, "copies"]), set(faces.loc[bearded, "unit"])
    return (named | faces["copies"].isin(copies) | faces["unit"].isin(people)).to_numpy()


def pool(faces: pd.DataFrame, test: str, *, away: np.ndarray | None = None) -> pd.DataFrame:
    """The faces that may train where `test` is tested on: other origins, no listed look-alike, no turned copies.

    Rows get the columns part ('train', 'validation' or 'dev') and parent_side, both by unit: a photo, its copies, its
    person. dev is a share of the labelled photos with real masks: nobody trains on it, and it is no test either.
    """
    tested = (origins(faces) == test).to_numpy()
    keep = ~faces["unit"].isin(set(faces.loc[tested, "unit"])).to_numpy()
    keep &= ~faces["image"].map(lambda image: Path(image).name.startswith(COPIES)).to_numpy(bool)
    if away is not None:
        keep &= ~away
    rows = faces[keep].reset_index(drop=True)
    ilc = set(rows.loc[origins(rows) == "ilc", "unit"])
    part = np.where(chance(rows["unit"], "validation") < VALIDATION, "validation", "train").astype(object)
    part[rows["unit"].isin(ilc).to_numpy() & (chance(rows["unit"], "dev") < HELD_OUT)] = "dev"
    return rows.assign(part=part, parent_side=chance(rows["unit"], "parent") < PARENTS)


def development(rows: pd.DataFrame, *, min_side: float = 20) -> pd.DataFrame:
    """Real faces that judge choices: labelled ones that were held out of every arm's training."""
    sides = (rows[["x2", "y2"]].to_numpy() - rows[["x1", "y1"]].to_numpy()).min(1, initial=np.inf)
    return rows[(rows["part"] == "dev") & (sides >= min_side)].reset_index(drop=True)


def bare(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(parents, negatives): bare faces to draw masks on, and other people's that stay bare; no unit is in both.

    A photo in which somebody else wears a mask is used too: only the bare face is cut out or drawn on.
    """
    usable = rows[drawable(rows) & (rows["part"] != "dev").to_numpy()]
    side = usable["parent_side"].to_numpy(bool)
    return usable[side].reset_index(drop=True), usable[~side].reset_index(drop=True)


def real(rows: pd.DataFrame, counts: Counts, *, seed: int) -> pd.DataFrame:
    """Real faces for the arm to compare with: as many of each class as an artificial arm has, as far as there are."""
    usable = rows[rows["part"] != "dev"]
    wrong = round(counts.masked * counts.wrong)
    wanted = {WITH: counts.masked - wrong, WRONG: wrong, WITHOUT: counts.bare + counts.lookalikes}
    parts = [picked(usable[usable["label"] == label], most, seed=seed) for label, most in wanted.items()]
    return pd.concat(parts, ignore_index=True)


def picked(rows: pd.DataFrame, most: int, *, seed: int) -> pd.DataFrame:
    """At most so many rows by chance, in their order."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]
