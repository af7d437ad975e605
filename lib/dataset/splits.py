"""A split by whole groups, its file, and what a split by chance would have leaked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import classes, images
from .table import keys, said

__all__ = ["folds", "held_out", "leaks", "split", "testable", "trainable", "write_split"]

SPLITS = ("train", "validation", "test")


def split(
    table: pd.DataFrame,
    *,
    shares: Sequence[float] = (0.7, 0.15, 0.15),
    largest: float | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Give every row a split (train, validation, test), by whole groups, each class in the same shares.

    Groups are dealt from large to small, equal ones in seeded order, each to the side that lacks its classes most.
    largest: a group with more faces of a class than this share of what a smaller side wants of it goes to the largest
    side, so that no crowd or series of one person makes up a test; None lets it.
    The result depends on the groups and the seed, not on the order of rows. Raises ValueError for shares that do not
    add up to 1, missing groups, or a table that knows one class only.
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"split: shares must be three, add up to 1 and be at least 0, got {tuple(shares)}")
    table, counts = _counted(table, "split")
    side = _deal(counts.to_numpy(float), np.array(shares, float), seed=seed, largest=largest)
    if largest is not None and _lacks(
        counts.to_numpy(), side, sides=int(np.count_nonzero(shares))
    ):  # too few to be choosy
        side = _deal(counts.to_numpy(float), np.array(shares, float), seed=seed, largest=None)
    table["split"] = table["group"].astype(str).map(dict(zip(counts.index, np.array(SPLITS)[side], strict=True)))
    return table


def folds(table: pd.DataFrame, k: int = 5, *, seed: int = 0) -> pd.DataFrame:
    """Give every row a fold (0 to k - 1), by whole groups, each class spread evenly: for k-fold cross-validation.

    The result depends on the groups and the seed, not on the order of rows. `held_out` makes a split of a fold,
    `write_split(..., column="fold")` saves them. Raises ValueError for k below 2, fewer groups than k, missing groups,
    or a table that knows one class only.
    """
    table, counts = _counted(table, "folds")
    if not 2 <= k <= len(counts):
        raise ValueError(f"folds: k must be from 2 to the number of groups, {len(counts)}, got {k}")
    side = _deal(counts.to_numpy(float), np.full(k, 1 / k), seed=seed, largest=None, even=True)
    table["fold"] = table["group"].astype(str).map(dict(zip(counts.index, side, strict=True)))
    return table


def held_out(table: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The table split for one round of k-fold: test is this fold, validation the next one, train the others.

    Raises ValueError for a fold that is not there, or fewer than three of them: nothing would be left to learn from.
    """
    known = sorted(set(table["fold"]))
    if len(known) < 3 or fold not in known:
        raise ValueError(f"fold: needs one of at least three folds, got {fold} of {known}")
    after = known[(known.index(fold) + 1) % len(known)]
    side = np.where(table["fold"] == fold, SPLITS[2], np.where(table["fold"] == after, SPLITS[1], SPLITS[0]))
    return table.assign(split=side)


def _counted(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A copy of a table that can be split, and its faces by group and class."""
    if "group" not in table or not table["group"].map(said).all():
        raise ValueError(f"{name}: every row needs a group; call dataset.group first")
    table = trainable(table).reset_index(drop=True)
    return table, pd.crosstab(table["group"].astype(str), table["label"]).sort_index()


def trainable(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is; raises ValueError that says what to do where it knows fewer than two classes."""
    labels = sorted(set(table["label"]))
    if len(labels) < 2:
        raise ValueError(
            f"training needs faces of at least two classes; this table of {len(table)} faces has "
            f"{', '.join(labels) or 'none'} only. Add photos of the other class, or make them with notebook 02"
        )
    return table


def testable(table: pd.DataFrame) -> pd.DataFrame:
    """The split table as it is; raises ValueError where its test lacks faces with or without a mask.

    Then all faces of a class are of a few people or scenes, and none could be spared for a test.
    """
    for label in classes.NAMES[:2]:
        faces = table[table["label"] == label]
        if len(faces) and not (faces["split"] == "test").any():
            raise ValueError(
                f"test: the {len(faces)} {label} faces belong to {faces['group'].nunique()} people or scenes, too few "
                f"to hold one back for a test. Add photos of other people with this label"
            )
    return table


def _lacks(counts: np.ndarray, side: np.ndarray, *, sides: int) -> bool:
    """Whether a class that has a group for every side (g, c) is missing on one."""
    spread = [len(set(side[counts[:, c] > 0])) for c in range(counts.shape[1])]
    return any(s < sides <= n for s, n in zip(spread, (counts > 0).sum(0), strict=True))


def _deal(
    counts: np.ndarray, shares: np.ndarray, *, seed: int, largest: float | None, even: bool = False
) -> np.ndarray:
    """Side (g,) of each group with class counts (g, c): the one whose emptiest share its faces fill best.

    Of sides that lack its classes alike the first is taken; even: the one with the fewest faces, so that none is empty.
    """
    rng = np.random.default_rng(seed)
    total = counts.sum(0)
    want = np.outer(shares, total)
    have = np.zeros_like(want)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    side = np.zeros(len(counts), int)
    weight = 1 / total  # a rare class counts as much as a frequent one
    for g in order:
        lack = ((want - have) * (counts[g] > 0) * weight).sum(1) / np.maximum(shares, 1e-9)
        lack[shares == 0] = -np.inf
        if even:
            lack -= 1e-6 * have.sum(1) / total.sum()
        if largest is not None:
            over = (counts[g] > np.maximum(want * largest, 1)).any(axis=1)
            lack[over & (shares < shares.max())] = -np.inf
        side[g] = int(lack.argmax())
        have[side[g]] += counts[g]
    return side


def write_split(
    table: pd.DataFrame, folder: str | Path, *, name: str = "split", seed: int | None = None, column: str = "split"
) -> dict[str, Any]:
    """Save which image is on which side: folder/NAME.json; returns name, file, hash and the counts by side and class.

    column: "split", or "fold" for the folds of a cross-validation. Images go by source/folder/file, sorted, so that
    the same split has the same SHA-256 on every machine.
    """
    sides = sorted(set(zip(keys(table), table[column].astype(str), strict=True)))
    lines = "\n".join(f"{split_}\t{key}" for key, split_ in sides)
    digest = images.sha256(lines.encode())
    counts = pd.crosstab(table[column].astype(str), table["label"])
    summary = {"name": name, "seed": seed, "sha256": digest, "faces": json.loads(counts.to_json(orient="index"))}
    known = SPLITS if column == "split" else sorted(counts.index, key=int)
    members = {side: [key for key, s in sides if s == side] for side in known}
    path = images.write(Path(folder) / f"{name}.json", json.dumps(summary | {"images": members}, indent=1))
    return summary | {"file": path.name}


def leaks(table: pd.DataFrame, *, repeats: int = 20, seed: int = 0, share: float = 0.15) -> pd.DataFrame:
    """How many test faces would have had a look-alike in training under a random split, and have one now.

    A row a way of splitting: 'random' (rows drawn, mean of `repeats` draws), 'photo' (photos drawn, faces of one photo
    together) and 'group' (the table's own split, where there is one); columns test, leaked, share. A face leaks when
    a face of its group is in training.
    """
    groups, n = pd.factorize(table["group"])[0], len(table)
    photos = pd.factorize(table["image"])[0]
    rng = np.random.default_rng(seed)
    rows = []
    for way, unit in (("random", np.arange(n)), ("photo", photos)):
        tested, leaked = [], []
        for _ in range(repeats):
            drawn = rng.random(unit.max(initial=-1) + 1) < share
            test = drawn[unit]
            tested.append(test.sum())
            leaked.append((test & np.isin(groups, groups[~test])).sum())
        rows.append((way, float(np.mean(tested)), float(np.mean(leaked))))
    if "split" in table and table["split"].map(said).all():
        test, training = (table["split"] == "test").to_numpy(), (table["split"] == "train").to_numpy()
        rows.append(("group", float(test.sum()), float((test & np.isin(groups, groups[training])).sum())))
    report = pd.DataFrame(rows, columns=["way", "test", "leaked"])
    return report.assign(share=report["leaked"] / report["test"].clip(lower=1))
