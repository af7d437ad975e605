"""Which images are one picture, and which are none worth keeping: fingerprints, groups, screening, decisions.

Nothing is deleted or moved: the outcome is a table, and decisions that the manifest remembers and takes back.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from . import compare, join
from .prints import HASHES, THUMB, VIEWS, fingerprints
from .screening import THRESHOLDS, screen
from .sheets import agreement, bad_sheet, group_sheet, twin_sheet
from .twins import masked_twins

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

__all__ = [
    "THRESHOLDS",
    "agreement",
    "bad_sheet",
    "decisions",
    "fingerprints",
    "group_sheet",
    "groups",
    "masked_twins",
    "screen",
    "twin_sheet",
]

MAX_BITS = 36  # of 128: pairs above are not even looked at
_AT_ONCE = 128  # pairs: what is worked on fits the cache
_MANY = 200_000  # images, above which half the samples must do: some strong crops are missed, half the time saved
_COLUMNS = ["image", "sha256", "group", "distance", "kept", "how", "reason"]


def groups(
    fingerprints: "pd.DataFrame",
    *,
    max_distance: float = 0.12,
    max_bits: int = MAX_BITS,
    executor: "Executor | None" = None,
) -> "pd.DataFrame":
    """Find the groups of images that are copies of one another; a row an image that has a copy, the kept one first.

    Hashes propose pairs (at most max_bits of 128 bits differ, mirrored or cropped views included), aligned thumbnails
    decide: distance is 1 − the correlation of their edges, 0 for the same picture; a copy has at most max_distance.
    Every image of a group is a copy of the one that is kept, so that a chain of likenesses never joins strangers.
    Kept is the best in resolution (less an even frame), then sharpness, then bytes. Without a thumb column (a
    simulation) the hashes decide alone, and distance is the share of bits that differ. executor: compares the
    thumbnails, as with `fingerprints`.
    Columns: image, sha256, group, distance, kept, how, reason.
    """
    import pandas as pd

    table = fingerprints.reset_index(drop=True)
    alone = ~table["sha256"].duplicated()
    rank = _ranked(table)
    one = table[alone].reset_index()  # "index" is the row in table
    stars = _stars(one, rank[one["index"].to_numpy()], max_distance, max_bits, executor.map if executor else map)
    first = {sha256: i for i, sha256 in zip(one.index, one["sha256"], strict=True)}
    head, distance, share, mirrored = (x[table["sha256"].map(first).to_numpy(int)] for x in stars)
    size = pd.Series(head).groupby(head).transform("size").to_numpy()
    rows = table.assign(head=head, distance=distance, share=share, mirrored=mirrored, size=size)
    rows = rows[rows["size"] > 1].assign(rank=rank[rows["size"].to_numpy() > 1])
    return _told(rows)


def decisions(
    groups: "pd.DataFrame", screened: "pd.DataFrame | None" = None, *, checks: tuple[str, ...] = tuple(THRESHOLDS)
) -> list[tuple[str, bool, str]]:
    """Rows for `Manifest.decide`: (sha256, kept, reason) for every image of a group and every image that is bad.

    checks: which of the screening's checks set an image aside. One file too many of the same bytes sets nothing aside.
    """
    said: dict[str, tuple[bool, str]] = {}
    for row in groups.sort_values("kept").itertuples():
        said[row.sha256] = (bool(row.kept), row.reason)
    if screened is not None:
        bad = screened[screened["bad"] & screened["check"].isin(checks) & (screened["sha256"] != "")]
        for sha256, reasons in bad.groupby("sha256", sort=False)["reason"]:
            before = said.get(sha256, (True, ""))
            said[sha256] = (False, "; ".join([*([before[1]] if not before[0] else []), *reasons]))
    return [(sha256, kept, reason) for sha256, (kept, reason) in said.items()]


def _ranked(table: "pd.DataFrame") -> np.ndarray:
    """Rank of each row, 0 the best: pixels (to 5 %), frame, sharpness (coarsely: JPEG blocks add some), bytes, name.

    A frame adds pixels, sharp edges and bytes, but shows nothing; a quarter more is taken off for its soft rim.
    """
    inside = table["inside"].to_numpy(float) if "inside" in table else np.ones(len(table))
    area = (table["width"] * table["height"]).to_numpy(float) * inside**1.25
    pixels = np.round(np.log(np.maximum(area, 1)) / 0.05)
    sharp = np.round(np.log1p(table["sharpness"].to_numpy(float)) / 0.7)
    name = np.argsort(np.argsort(table["image"].astype(str).to_numpy(), kind="stable"))
    rank = np.empty(len(table), int)
    rank[np.lexsort((name, -table["bytes"].to_numpy(), -sharp, -np.round(inside, 1), -pixels))] = np.arange(len(table))
    return rank


def _stars(
    one: "pd.DataFrame", rank: np.ndarray, max_distance: float, max_bits: int, mapped: Callable[..., Iterable[tuple]]
) -> tuple[np.ndarray, ...]:
    """For each image its head (the best image that it is a copy of, or itself), distance, share shown, mirrored.

    In rounds: images without a better one near them become heads and take their copies; whoever was near a copy is
    then compared with the head. So about as many pairs are looked at closely as there are copies.
    """
    n = len(one)
    words = np.stack(
        [np.stack([one[h + v].to_numpy(np.uint64) for h in HASHES], 1) for v in VIEWS if HASHES[0] + v in one]
    )
    bands = 48 if n <= _MANY else 24
    pairs, _, view = (
        join.similar(words[0], words, max_bits=max_bits, bands=bands) if n else (np.zeros((0, 2), int),) * 3
    )
    edges = _Edges(pairs, view >= len(VIEWS) // 2, rank)
    judge = _Judge(one, words, mapped)
    head, distance, share, mirrored = np.arange(n), np.zeros(n), np.ones(n), np.zeros(n, bool)
    while edges:
        better, worse, turned = edges.of_tops()
        d, s, m = judge(better, worse, turned)
        copy = np.flatnonzero(d <= max_distance)
        copy = copy[np.lexsort((rank[better[copy]], worse[copy]))]
        copy = copy[np.diff(worse[copy], prepend=-1) != 0]  # of several heads the best
        taken = worse[copy]
        head[taken], distance[taken], share[taken], mirrored[taken] = better[copy], d[copy], s[copy], m[copy]
        edges.close(np.unique(better), taken, head, mirrored)
    return one["index"].to_numpy()[head], distance, share, mirrored


class _Edges:
    """Pairs still to be looked at, the better image first; a pair once looked at does not come back."""

    def __init__(self, pairs: np.ndarray, mirrored: np.ndarray, rank: np.ndarray) -> None:
        self.rank, self.tested = rank, np.zeros(0, np.int64)
        self.better = self.worse = np.zeros(0, int)
        self.mirrored = np.zeros(0, bool)
        self._add(pairs[:, 0], pairs[:, 1], mirrored)

    def __len__(self) -> int:
        return len(self.better)

    def of_tops(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs whose better image has no better one itself: (better, worse, mirrored)."""
        beaten = np.zeros(len(self.rank), bool)
        beaten[self.worse] = True
        now = ~beaten[self.better]
        self.tested = np.union1d(self.tested, self._key(self.better[now], self.worse[now]))
        return self.better[now], self.worse[now], self.mirrored[now]

    def close(self, tops: np.ndarray, taken: np.ndarray, head: np.ndarray, mirrored: np.ndarray) -> None:
        """Take out heads and copies; an image near a copy is from now on near the copy's head."""
        done = np.zeros(len(self.rank), bool)
        done[tops] = True
        self._keep(~done[self.better])
        copied = np.zeros(len(self.rank), bool)
        copied[taken] = True
        one, two, turned = self.better, self.worse, self.mirrored
        hop = copied[one] != copied[two]
        near = np.where(copied[one], one, two)[hop]
        rest = np.where(copied[one], two, one)[hop]
        self._keep(~copied[one] & ~copied[two])
        self._add(head[near], rest, turned[hop] ^ mirrored[near])

    def _add(self, one: np.ndarray, two: np.ndarray, mirrored: np.ndarray) -> None:
        swap = self.rank[one] > self.rank[two]
        better, worse = np.where(swap, two, one), np.where(swap, one, two)
        key, first = np.unique(self._key(better, worse), return_index=True)
        first = first[~np.isin(key, self.tested)]
        self.better, self.worse = np.append(self.better, better[first]), np.append(self.worse, worse[first])
        self.mirrored = np.append(self.mirrored, mirrored[first])

    def _keep(self, which: np.ndarray) -> None:
        self.better, self.worse, self.mirrored = self.better[which], self.worse[which], self.mirrored[which]

    def _key(self, better: np.ndarray, worse: np.ndarray) -> np.ndarray:
        return better.astype(np.int64) * len(self.rank) + worse


class _Judge:
    """Decides how far apart two images are: by their thumbnails, or by the hashes alone where there are none."""

    def __init__(self, one: "pd.DataFrame", words: np.ndarray, mapped: Callable[..., Iterable[tuple]]) -> None:
        self.words, self.thumbs, self.mapped = words, None, mapped
        if "thumb" in one:
            self.thumbs = np.frombuffer(b"".join(one["thumb"]), np.uint8).reshape(len(one), THUMB, THUMB)

    def __call__(self, i: np.ndarray, j: np.ndarray, mirrored: np.ndarray) -> tuple[np.ndarray, ...]:
        """(distance (k,), share, mirrored) of the pairs i, j; mirrored: whether the hashes met in a mirror."""
        if self.thumbs is None:
            ways = [(view[i], self.words[0, j]) for view in self.words] + [(v[j], self.words[0, i]) for v in self.words]
            bits = np.stack([join.popcount(one ^ two) for one, two in ways])
            return bits.min(axis=0) / 128, np.ones(len(i)), bits.argmin(axis=0) % len(VIEWS) >= len(VIEWS) // 2
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(i), _AT_ONCE)]
        turned = [np.where(mirrored[p, None, None], self.thumbs[i[p], :, ::-1], self.thumbs[i[p]]) for p in parts]
        found = list(self.mapped(compare.apart, turned, [self.thumbs[j[p]] for p in parts]))
        distance, share = (np.concatenate(x) for x in zip(*found, strict=True))
        return distance, share, mirrored


def _told(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Groups numbered by first appearance, the kept one first, with words for how each copy differs."""
    import pandas as pd

    rows = rows.assign(group=pd.factorize(rows["head"])[0]).sort_values(["group", "rank"], kind="stable")
    kept = ~rows["group"].duplicated()
    best = {row.group: row for row in rows[kept].itertuples()}
    out = []
    for row, is_kept in zip(rows.itertuples(), kept, strict=True):
        top = best[row.group]
        how = "kept" if is_kept else _how(row, top)
        if is_kept:
            reason = f"the best of {row.size}: {row.width} × {row.height}, sharpness {row.sharpness:.0f}"
        else:
            reason = f"{how} of {str(top.sha256)[:12]} (distance {row.distance:.3f})"
        out.append((row.image, row.sha256, row.group, row.distance, is_kept, how, reason))
    return pd.DataFrame(out, columns=_COLUMNS).astype({"group": int, "distance": float, "kept": bool})


def _how(row, top) -> str:  # type: ignore[no-untyped-def]
    if row.sha256 == top.sha256:
        return "same bytes"
    words = ["mirrored"] if row.mirrored else []
    if row.share < 0.97:
        words.append("cropped")
    elif getattr(row, "inside", 1.0) < 0.97 * getattr(top, "inside", 1.0):
        words.append("framed")
    elif (row.width, row.height) != (top.width, top.height):
        words.append("resized")
    return " and ".join(words or ["re-encoded"]) + " copy"
