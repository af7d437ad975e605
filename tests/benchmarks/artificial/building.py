"""The training faces of an arm: which are drawn on, which stay bare, their crops, and the rules that must hold."""

import hashlib
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classes import NAMES
from lib.train import drawing
from lib.train.drawing import Wish

from . import pictures, tables
from .tables import Arm, Counts

__all__ = ["broken", "build"]

ORDER = ["image", "parent", "unit", "source", "label", "part", "style", "wear"]


def build(
    arm: Arm, rows: pd.DataFrame, counts: Counts, *, cache: Path, seed: int = 0, executor: Executor | None = None
) -> tuple[pd.DataFrame, np.ndarray, dict[str, int]]:
    """Table and wide crops of an arm's faces in training and validation, and how many faces could not be drawn on."""
    rng = np.random.default_rng(seed)
    if arm.masks == "real":
        chosen = tables.real(rows, counts, seed=seed)
        table, crops, _ = _pictured(chosen, [(_asis(rng),) for _ in chosen.index], arm, cache=cache, executor=executor)
        return table.assign(parent=""), crops, {}
    parents, negatives = tables.bare(rows)
    covers = tables.picked(negatives, counts.lookalikes, seed=seed + 1) if arm.lookalikes else negatives[:0]
    cover_wishes = [tuple(drawing.lookalikes(1, rng=np.random.default_rng([seed, i]))) for i in covers.index]
    stay = tables.picked(negatives, counts.bare + counts.lookalikes - len(covers), seed=seed)
    each = -(-counts.masked // max(1, round(len(parents) * 0.9)))  # about a tenth cannot be drawn on
    parts = [
        _pictured(
            parents,
            _masked(parents, arm, each=each, wrong=counts.wrong, seed=seed),
            arm,
            cache=cache,
            executor=executor,
        ),
        _pictured(stay, [(_asis(rng, "placed"),) for _ in stay.index], arm, cache=cache, executor=executor),
        _pictured(covers, cover_wishes, arm, cache=cache, executor=executor),
    ]
    drawn, crops, refused = parts[0]
    some = np.sort(rng.permutation(len(drawn))[: counts.masked])
    parts[0] = drawn.iloc[some].assign(parent=drawn["image"].iloc[some]), crops[some], refused
    table = pd.concat([part[0] for part in parts], ignore_index=True).fillna({"parent": ""})
    return table, np.concatenate([part[1] for part in parts]), _summed([part[2] for part in parts])


def _asis(rng: np.random.Generator, kind: str = "as it is") -> Wish:
    """A face that stays as it is; "placed": chosen by the rule that positives are chosen by, so that what cannot be
    drawn on (a profile, a blurred face) is not always bare."""
    return Wish(kind, "", "", int(rng.integers(2**31)))


def _masked(parents: pd.DataFrame, arm: Arm, *, each: int, wrong: float, seed: int) -> list[tuple[Wish, ...]]:
    """Each parent's wishes; its own chance, so that a change of the list changes no other face."""
    keys = (hashlib.sha256(f"{Path(r.image).name} {r.x1:.0f}".encode()).digest()[:4] for r in parents.itertuples())
    chances = [np.random.default_rng([seed, *key]) for key in keys]
    return [tuple(pictures.wishes(arm, count=each, wrong=wrong, rng=rng)) for rng in chances]


def _summed(refused: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in refused:
        for reason, count in part.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _pictured(
    rows: pd.DataFrame, wanted: list[tuple[Wish, ...]], arm: Arm, *, cache: Path, executor: Executor | None
) -> tuple[pd.DataFrame, np.ndarray, dict[str, int]]:
    return drawing.pictured(rows, wanted, pictures.Draw(lit=arm.lit), cache=cache, executor=executor)


def broken(table: pd.DataFrame, *, arm: Arm, away: set[str], tested: set[str]) -> list[str]:
    """Which rules an arm's table breaks, in words; none where it may be trained on.

    away: images of look-alike faces that are tested on; tested: origins that are.
    """
    masked = table[table["label"] != NAMES[1]]
    negatives = table[table["label"] == NAMES[1]]
    parents = table["parent"].astype(str) != ""
    found = {
        "a real face with a mask": arm.masks != "real" and bool((masked["parent"] == "").any()),
        "a parent of a positive is a bare negative": arm.masks != "real"
        and bool(set(masked["unit"]) & set(negatives["unit"])),
        "a face of an origin that is tested on": bool(set(tables.origins(table)) & tested),
        "a look-alike that is tested on": bool(set(table["image"]) & away),
        "a turned copy": bool(table["image"].map(lambda i: Path(i).name.startswith(tables.COPIES)).any()),
        "a face that was held out": bool((table["part"] == "dev").any()),
        "one unit in training and validation": bool((table.groupby("unit")["part"].nunique() > 1).any()),
        "a drawn mask without its parent": bool((table.loc[parents, "image"] != table.loc[parents, "parent"]).any()),
    }
    return [rule for rule, is_broken in found.items() if is_broken]
