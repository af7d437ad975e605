"""The one table of faces on its way to training: boxes, groups of look-alikes, a split that cannot leak, crops.

A table has a row a face: image (path), x1, y1, x2, y2, label, source, origin, group, parent, split, score. What belongs
together (one photo, twins, parent and masked child, one person) shares a group, and a group is never split.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import batch, boxes, classes, images

__all__ = [
    "apart",
    "crops",
    "group",
    "join",
    "keys",
    "leaks",
    "locate",
    "promised",
    "read",
    "split",
    "trainable",
    "write",
    "write_split",
]

TEXT = ("image", "label", "source", "origin", "group", "parent", "split", "framing")
SPLITS = ("train", "validation", "test")
BOX = ["x1", "y1", "x2", "y2"]
FRAMINGS = ("labelled", "found", "whole")  # how a row came by its box
# File names that tell the person: RMFD's crops, such as 1_0_anhu_0084.
PERSON_IN_NAME = re.compile(r"^\d+_\d+_(?!copy)([a-z]{3,})_\d+")
_log = logging.getLogger(__name__)
Progress = Callable[[Iterable[Any]], Iterable[Any]]


def read(path: str | Path) -> pd.DataFrame:
    """The table of faces of a Parquet file; raises FileNotFoundError that says which step makes it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"table of faces: {path} is not there; notebook 03 (or dataset.write) makes it")
    return pd.read_parquet(path)


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """Save the table of faces as Parquet, whole or not at all."""
    return images.write(path, table.to_parquet(index=False))


def keys(table: pd.DataFrame) -> pd.Series:
    """A name for every row's image that holds on any machine: source/folder/file."""
    paths = [Path(i) for i in table["image"]]
    source = table["source"] if "source" in table else pd.Series("", index=table.index)
    return pd.Series([f"{s}/{p.parent.name}/{p.name}" for s, p in zip(source, paths, strict=True)], index=table.index)


def promised(kept: pd.DataFrame, *, source: str = "") -> pd.DataFrame:
    """The images that a manifest keeps as a table of faces: whole images with the label that their query promised.

    kept: as `Manifest.kept` gives it; images without a promised label stay out. `locate` then finds the faces.
    """
    told = kept[kept["label"].isin(classes.NAMES)]
    rows = pd.DataFrame({"image": told["path"].astype(str), "x1": 0.0, "y1": 0.0, "x2": told["width"].astype(float)})
    rows = rows.assign(y2=told["height"].astype(float), label=told["label"], source=source, origin="auto")
    return rows.assign(group="", parent="", split="", score=np.nan, framing="whole").reset_index(drop=True)


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


# --- boxes ----------------------------------------------------------------------------------------------------------


def locate(
    table: pd.DataFrame,
    find: Callable[[np.ndarray], Any] | None,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Give every crop of a class folder the box of the face in it, so that all sources are framed by one rule.

    The column framing tells: 'labelled' (somebody's box), 'found' (the largest, most central face that `find` sees, if
    need be with a border laid around the crop) or 'whole' (none was found, or find is None). Rows that say 'whole', or
    say nothing and have a box as large as the image, are looked at. Rows whose image cannot be read are left out and
    named in `.attrs["skipped"]`.
    """
    table = table.reset_index(drop=True)
    told = table["framing"].fillna("") if "framing" in table else [""] * len(table)
    alone = ~table["image"].duplicated(keep=False)
    said = [f if f in FRAMINGS else "alone" if a else "labelled" for f, a in zip(told, alone, strict=True)]
    xyxy = table[BOX].to_numpy(float)
    jobs = [(str(i), tuple(b), f) for i, b, f in zip(table["image"], xyxy, said, strict=True)]
    rows, skipped = batch.run(_Locate(find), jobs, executor=executor, progress=progress)
    names = {row["item"]: row["reason"] for row in skipped}
    kept = table[[str(job) not in names for job in jobs]].reset_index(drop=True)
    kept[BOX] = np.array([row[0] for row in rows], float).reshape(-1, 4)
    kept["framing"] = [row[1] for row in rows]
    if skipped:
        _log.warning("locate: %d images could not be read and are left out", len(skipped))
    kept.attrs["skipped"] = [{"item": job[0], "reason": names[str(job)]} for job in jobs if str(job) in names]
    return kept


@dataclass(frozen=True)
class _Locate:
    find: Callable[[np.ndarray], Any] | None

    def __call__(self, job: tuple[str, tuple[float, ...], str]) -> tuple[tuple[float, ...], str]:
        path, box, told = job
        try:
            w, h = images.size(path)
        except FileNotFoundError as trouble:
            raise batch.Skip("file is not there") from trouble
        fills = box[0] <= 0 and box[1] <= 0 and box[2] >= w and box[3] >= h
        if told in ("labelled", "found") or (told == "alone" and not fills):
            return box, "found" if told == "found" else "labelled"
        face = None if self.find is None else _face_in(images.read(path), self.find)
        return ((0.0, 0.0, float(w), float(h)), "whole") if face is None else (tuple(face), "found")


def _face_in(rgb: np.ndarray, find: Callable[[np.ndarray], Any]) -> np.ndarray | None:
    """The face that a crop is about: large and central; tight crops are tried again with a border around them."""
    h, w = rgb.shape[:2]
    for border in (0.0, 0.3):
        y, x = round(h * border), round(w * border)
        padded = np.pad(rgb, ((y, y), (x, x), (0, 0)), mode="edge") if border else rgb
        found = np.asarray(find(padded).xyxy, float).reshape(-1, 4) - np.array([x, y, x, y], float)
        inside = boxes.clip(found, (w, h))
        area = boxes.area(inside)
        found, area = found[area > 0.004 * w * h], area[area > 0.004 * w * h]
        if len(found):
            centre = (found[:, :2] + found[:, 2:]) / 2 / (w, h) - 0.5
            return found[np.argmax(area * (1.2 - np.hypot(*centre.T)))]
    return None


@dataclass(frozen=True)
class _Cut:
    margin: float
    size: int

    def __call__(self, job: tuple[str, np.ndarray]) -> np.ndarray:
        path, xyxy = job
        w, h = images.size(path)
        # A large photo is decoded at reduced size, but never below twice what its smallest crop needs.
        smallest = (xyxy[:, 2:] - xyxy[:, :2]).max(1).min() * (1 + 2 * self.margin)
        side = int(np.ceil(max(w, h) * 2 * self.size / max(smallest, 1)))
        rgb = images.read(path, max_side=side if side < max(w, h) / 2 else None)
        scale = np.tile([rgb.shape[1] / w, rgb.shape[0] / h], 2)
        return np.stack([boxes.crop(rgb, box * scale, margin=self.margin, size=self.size) for box in xyxy])


def crops(
    table: pd.DataFrame,
    *,
    margin: float,
    size: int,
    cache: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Every face of the table as the network sees it: uint8 (n, size, size, 3), in the table's order.

    Each image is read once, at reduced size where that suffices. cache: a folder that keeps the array under a name
    made of the images' contents, the boxes, margin and size, so that a changed photo or box is cut anew. Raises
    ValueError that names the first image that cannot be read; `locate` leaves such images out.
    """
    xyxy = table[BOX].to_numpy(float)
    positions = table.reset_index(drop=True).groupby("image", sort=False).indices
    if not len(table):
        return np.zeros((0, size, size, 3), np.uint8)
    path = None if cache is None else Path(cache) / f"crops-{_content(positions, xyxy, (margin, size))}.npy"
    if path is not None and path.is_file():
        return np.load(path)
    jobs = [(str(image), xyxy[rows]) for image, rows in positions.items()]
    cut, skipped = batch.run(_Cut(margin, size), jobs, executor=executor, progress=progress)
    if skipped:
        raise ValueError(
            f"crops: {len(skipped)} images cannot be read, first {skipped[0]['item']}: {skipped[0]['reason']}"
        )
    result = np.empty((len(table), size, size, 3), np.uint8)
    for rows, faces in zip(positions.values(), cut, strict=True):
        result[rows] = faces
    if path is not None:
        _save(path, result)
    return result


def _content(positions: Mapping[Any, np.ndarray], xyxy: np.ndarray, how: tuple[float, int]) -> str:
    digest = hashlib.sha256(repr((float(how[0]), int(how[1]))).encode() + np.ascontiguousarray(xyxy).tobytes())
    for image, rows in positions.items():
        digest.update(images.sha256(image).encode() + np.asarray(rows, np.int64).tobytes())
    return digest.hexdigest()[:20]


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    np.save(part, array)
    part.replace(path)


# --- groups ---------------------------------------------------------------------------------------------------------


def group(table: pd.DataFrame, *, twins: pd.DataFrame | None = None) -> pd.DataFrame:
    """Put rows that show the same thing into one group: the table with its column group filled.

    Joined are: rows of one photo; twins (a table of image and group, as `dedupe.groups` gives it, images by path, file
    name or SHA-256); a parent and all that was made of it (column parent: path or SHA-256); one person (columns person
    or identity, or a file name that tells). Groups that stood in the table before are kept together too. A group is
    named after its first image, so that the same photos give the same names.
    """
    table = table.reset_index(drop=True)
    links = [("image", str(i), row) for row, i in enumerate(table["image"])]
    links += _parent_links(table) + _person_links(table)
    if "group" in table:
        links += [("group", str(g), row) for row, g in enumerate(table["group"]) if _said(g)]
    if twins is not None and len(twins):
        links += _twin_links(table, twins)
    component = _components(links, len(table))
    names = keys(table)
    first = names.groupby(component).transform("min")
    clash = pd.Series(component).groupby(first).transform("nunique") > 1
    path = table["image"].astype(str).groupby(component).transform("min")
    table["group"] = first.where(~clash, path)
    return table


def _said(value: Any) -> bool:
    return value is not None and value == value and str(value) != ""


def _parent_links(table: pd.DataFrame) -> list[tuple[str, str, int]]:
    if "parent" not in table or not table["parent"].map(_said).any():
        return []
    links = [("file", str(p), row) for row, p in enumerate(table["parent"]) if _said(p)]
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
                ("person", f"{s}/{p}", r)
                for r, (s, p) in enumerate(zip(source, table[column], strict=True))
                if _said(p)
            ]
    for row, image in enumerate(table["image"]):
        told = PERSON_IN_NAME.match(Path(image).stem)
        if told:
            links.append(("person", f"{Path(image).parent}/{told[1]}", row))
    return links


def _twin_links(table: pd.DataFrame, twins: pd.DataFrame) -> list[tuple[str, str, int]]:
    groups: dict[str, Any] = {}
    for column in ("image", "sha256"):
        if column in twins:
            groups |= {str(i): g for i, g in zip(twins[column], twins["group"], strict=True) if _said(g)}
    links = []
    for row, image in enumerate(table["image"]):
        found = next((groups[k] for k in (str(image), Path(image).stem, Path(image).name) if k in groups), None)
        if found is not None:
            links.append(("twin", str(found), row))
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
    if "parent" not in table or not table["parent"].map(_said).any():
        return table
    positive = table["parent"].map(_said) & table["label"].isin([classes.NAMES[0], classes.NAMES[2]])
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


# --- split ----------------------------------------------------------------------------------------------------------


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
    if "group" not in table or not table["group"].map(_said).all():
        raise ValueError("split: every row needs a group; call dataset.group first")
    trainable(table)
    table = table.reset_index(drop=True)
    counts = pd.crosstab(table["group"].astype(str), table["label"]).sort_index()
    side = _deal(counts.to_numpy(float), np.array(shares, float), seed=seed, largest=largest)
    if largest is not None and len(set(side)) < np.count_nonzero(shares):  # too few groups to be choosy
        side = _deal(counts.to_numpy(float), np.array(shares, float), seed=seed, largest=None)
    table["split"] = table["group"].astype(str).map(dict(zip(counts.index, np.array(SPLITS)[side], strict=True)))
    return table


def trainable(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is; raises ValueError that says what to do where it knows fewer than two classes."""
    labels = sorted(set(table["label"]))
    if len(labels) < 2:
        raise ValueError(
            f"training needs faces of at least two classes; this table of {len(table)} faces has "
            f"{', '.join(labels) or 'none'} only. Add photos of the other class, or make them with notebook 02"
        )
    return table


def _deal(counts: np.ndarray, shares: np.ndarray, *, seed: int, largest: float | None) -> np.ndarray:
    """Side (g,) of each group with class counts (g, c): the one whose emptiest share its faces fill best."""
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
        if largest is not None:
            over = (counts[g] > np.maximum(want * largest, 1)).any(axis=1)
            lack[over & (shares < shares.max())] = -np.inf
        side[g] = int(lack.argmax())
        have[side[g]] += counts[g]
    return side


def write_split(
    table: pd.DataFrame, folder: str | Path, *, name: str = "split", seed: int | None = None
) -> dict[str, Any]:
    """Save which image is on which side: folder/NAME.json; returns name, file, hash and the counts by side and class.

    Images go by source/folder/file, sorted, so that the same split has the same SHA-256 on every machine.
    """
    sides = sorted(set(zip(keys(table), table["split"], strict=True)))
    lines = "\n".join(f"{split_}\t{key}" for key, split_ in sides)
    digest = images.sha256(lines.encode())
    counts = pd.crosstab(table["split"], table["label"])
    summary = {"name": name, "seed": seed, "sha256": digest, "faces": json.loads(counts.to_json(orient="index"))}
    members = {side: [key for key, s in sides if s == side] for side in SPLITS}
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
    if "split" in table and table["split"].map(_said).all():
        test, training = (table["split"] == "test").to_numpy(), (table["split"] == "train").to_numpy()
        rows.append(("group", float(test.sum()), float((test & np.isin(groups, groups[training])).sum())))
    report = pd.DataFrame(rows, columns=["way", "test", "leaked"])
    return report.assign(share=report["leaked"] / report["test"].clip(lower=1))
