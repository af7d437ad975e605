"""What belongs together, and what must not teach both sides."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import classes, images
from .table import keys, said

__all__ = ["apart", "group"]

# File names that tell the person: RMFD's crops, such as 1_0_anhu_0084.
PERSON_IN_NAME = re.compile(r"^\d+_\d+_(?!copy)([a-z]{3,})_\d+")

# Selfies of the same people, known by the size of the photo: 182 of two people in photos-853, and none of its others.
SERIES = {"photos-853": (301, 400)}


def group(table: pd.DataFrame, *, twins: pd.DataFrame | Sequence[pd.DataFrame] | None = None) -> pd.DataFrame:
    """Put rows that show the same thing into one group: the table with its column group filled.

    Joined are: rows of one photo; twins (tables of image and group, as `dedupe.groups` and `dedupe.masked_twins` give
    them, one or several, images by path, file name or SHA-256); a parent and all that was made of it (column parent:
    path or SHA-256); one person (columns person or identity, a file name that tells, or a known series of selfies).
    Groups that stood in the table before are kept together too. A group is named after its first image, so that the
    same photos give the same names.
    """
    table = table.reset_index(drop=True)
    links = [("image", str(i), row) for row, i in enumerate(table["image"])]
    links += _parent_links(table) + _person_links(table)
    if "group" in table:
        links += [("group", str(g), row) for row, g in enumerate(table["group"]) if said(g)]
    for number, found in enumerate([twins] if isinstance(twins, pd.DataFrame) else twins or ()):
        links += [(f"{kind} {number}", key, row) for kind, key, row in _twin_links(table, found)]
    component = _components(links, len(table))
    names = keys(table)
    first = names.groupby(component).transform("min")
    clash = pd.Series(component).groupby(first).transform("nunique") > 1
    path = table["image"].astype(str).groupby(component).transform("min")
    table["group"] = first.where(~clash, path)
    return table


def _parent_links(table: pd.DataFrame) -> list[tuple[str, str, int]]:
    if "parent" not in table or not table["parent"].map(said).any():
        return []
    links = [("file", str(p), row) for row, p in enumerate(table["parent"]) if said(p)]
    wanted = {key for _, key, _ in links}
    by_hash = any(re.fullmatch(r"[0-9a-f]{64}", key) for key in wanted)
    hashes = _hashes(table["image"], wanted) if by_hash else {}
    for row, image in enumerate(table["image"]):
        links += [("file", key, row) for key in {str(image), hashes.get(str(image), str(image))} & wanted]
    return links


def _hashes(paths: Iterable[Any], wanted: set[str]) -> dict[str, str]:
    """SHA-256 of each image; raw files carry it as their name already."""
    result = {}
    for path in dict.fromkeys(map(str, paths)):
        stem = Path(path).stem
        if stem in wanted:
            result[path] = stem
        elif Path(path).is_file():
            result[path] = images.sha256(path)
    return result


def _person_links(table: pd.DataFrame) -> list[tuple[str, str, int]]:
    links = []
    for column in ("person", "identity"):
        if column in table:
            source = table.get("source", pd.Series("", index=table.index))
            links += [
                ("person", f"{s}/{p}", r) for r, (s, p) in enumerate(zip(source, table[column], strict=True)) if said(p)
            ]
    for row, image in enumerate(table["image"]):
        told = PERSON_IN_NAME.match(Path(image).stem)
        if told:
            links.append(("person", f"{Path(image).parent}/{told[1]}", row))
    return links + _series_links(table)


def _series_links(table: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Rows of each source's series of selfies; the photos of other sources are not looked at."""
    if "source" not in table:
        return []
    links = []
    for source, size in SERIES.items():
        rows = np.flatnonzero(table["source"] == source)
        is_selfie = {i: Path(i).is_file() and images.size(i) == size for i in set(table["image"].iloc[rows])}
        links += [("series", source, int(row)) for row in rows if is_selfie[table["image"].iloc[row]]]
    return links


def _twin_links(table: pd.DataFrame, twins: pd.DataFrame) -> list[tuple[str, str, int]]:
    groups: dict[str, set[str]] = {}  # an image with several faces may be in several
    for column in ("image", "sha256"):
        if column in twins:
            for image, number in zip(twins[column], twins["group"], strict=True):
                if said(number):
                    groups.setdefault(str(image), set()).add(str(number))
    links = []
    for row, image in enumerate(table["image"]):
        names = (str(image), Path(image).stem, Path(image).name)
        found = next((groups[name] for name in names if name in groups), set())
        links += [("twin", number, row) for number in sorted(found)]
    return links


def _components(links: Sequence[tuple[str, str, int]], n: int) -> np.ndarray:
    """Connected components (n,) of rows that share a key."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys_ = {key: n + i for i, key in enumerate(dict.fromkeys((kind, key) for kind, key, _ in links))}
    a = np.array([row for _, _, row in links], int)
    b = np.array([keys_[kind, key] for kind, key, _ in links], int)
    size = n + len(keys_)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(size, size))
    return connected_components(graph, directed=False)[1][:n]


def apart(table: pd.DataFrame, *, bare: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Keep a photo and its masked copies from teaching both: the table without one of the two sides.

    A photo whose masked copy is a positive cannot be a bare negative, or the network learns the drawing and not the
    mask. The photo's bare rows go; of a share `bare` of such photos the masked copies go instead, chosen by seed, so
    that there are negatives where every photo was given a mask. Look-alikes labelled without_mask count as bare.
    """
    table = table.reset_index(drop=True)
    if "parent" not in table or not table["parent"].map(said).any():
        return table
    positive = table["parent"].map(said) & table["label"].isin([classes.NAMES[0], classes.NAMES[2]])
    wanted = set(table.loc[positive, "parent"].astype(str))
    hashes = _hashes(table["image"], wanted) if any(re.fullmatch(r"[0-9a-f]{64}", k) for k in wanted) else {}
    own = [str(i) if str(i) in wanted else hashes.get(str(i), "") for i in table["image"]]
    families = sorted(wanted & set(own))
    rng = np.random.default_rng(seed)
    stays_bare = {f for f, draw in zip(families, rng.random(len(families)), strict=True) if draw < bare}
    is_parent = pd.Series([o in wanted and o not in stays_bare for o in own], index=table.index)
    drop = (is_parent & (table["label"] == classes.NAMES[1])) | (
        positive & table["parent"].astype(str).isin(stays_bare)
    )
    return table[~drop].reset_index(drop=True)
