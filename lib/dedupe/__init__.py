"""Which images are one picture, and which are none worth keeping: fingerprints, groups, screening, decisions.

Nothing is deleted or moved: the outcome is a table, and decisions that the manifest remembers and takes back.
"""

from typing import TYPE_CHECKING

import numpy as np

from . import compare, join
from .prints import HASHES, THUMB, VIEWS, fingerprints
from .screening import THRESHOLDS, screen
from .sheets import agreement, bad_sheet, group_sheet

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "THRESHOLDS",
    "agreement",
    "bad_sheet",
    "decisions",
    "fingerprints",
    "group_sheet",
    "groups",
    "screen",
]

MAX_BITS = 36  # of 128: pairs above are not even looked at
_COLUMNS = ["image", "sha256", "group", "distance", "kept", "how", "reason"]


def groups(fingerprints: "pd.DataFrame", *, max_distance: float = 0.12, max_bits: int = MAX_BITS) -> "pd.DataFrame":
    """Find the groups of images that are copies of one another; a row an image that has a copy, the kept one first.

    Hashes propose pairs (at most max_bits of 128 bits differ, mirrored or cropped views included), aligned thumbnails
    decide: distance is 1 − the correlation of their edges, 0 for the same picture; a copy has at most max_distance.
    Every image of a group is a copy of the one that is kept, so that a chain of likenesses never joins strangers.
    Kept is the best in resolution, then sharpness, then bytes. Without a thumb column (a simulation) the hashes decide
    alone, and distance is the share of bits that differ. Columns: image, sha256, group, distance, kept, how, reason.
    """
    import pandas as pd

    table = fingerprints.reset_index(drop=True)
    alone = ~table["sha256"].duplicated()
    rank = _ranked(table)
    one = table[alone].reset_index()  # "index" is the row in table
    stars = _stars(one, rank[one["index"].to_numpy()], max_distance, max_bits)
    first = {sha256: i for i, sha256 in zip(one.index, one["sha256"], strict=True)}
    head, distance, share, mirrored = (x[table["sha256"].map(first).to_numpy(int)] for x in stars)
    twins = ~alone | table["sha256"].duplicated(keep=False)
    size = pd.Series(head).groupby(head).transform("size").to_numpy()
    rows = table.assign(head=head, distance=distance, share=share, mirrored=mirrored, twin=twins, size=size)
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
    """Rank of each row, 0 the best: pixels (to 5 %), sharpness (coarsely: JPEG blocks add some), bytes, name."""
    pixels = np.round(np.log(np.maximum(table["width"] * table["height"], 1).to_numpy(float)) / 0.05)
    sharp = np.round(np.log1p(table["sharpness"].to_numpy(float)) / 0.7)
    name = np.argsort(np.argsort(table["image"].astype(str).to_numpy(), kind="stable"))
    rank = np.empty(len(table), int)
    rank[np.lexsort((name, -table["bytes"].to_numpy(), -sharp, -pixels))] = np.arange(len(table))
    return rank


def _stars(one: "pd.DataFrame", rank: np.ndarray, max_distance: float, max_bits: int) -> tuple[np.ndarray, ...]:
    """For each image its head (the best image that it is a copy of, or itself), distance, share shown, mirrored."""
    n = len(one)
    words = np.stack(
        [np.stack([one[h + v].to_numpy(np.uint64) for h in HASHES], 1) for v in VIEWS if HASHES[0] + v in one]
    )
    pairs, bits, view = join.similar(words[0], words, max_bits=max_bits) if n else (np.zeros((0, 2), int),) * 3
    judge = _Judge(one, words, max_bits)
    near = judge.pairs(pairs, bits, view >= len(VIEWS) // 2, max_distance)
    head = np.arange(n)
    distance, share, mirrored = np.zeros(n), np.ones(n), np.zeros(n, bool)
    for members in _components(near, n):
        waiting = list(members[np.argsort(rank[members])])
        while waiting:
            best, *others = waiting
            waiting = []
            for other in others:
                d, s, m = judge.one(best, other)
                if d <= max_distance:
                    head[other], distance[other], share[other], mirrored[other] = best, d, s, m
                else:
                    waiting.append(other)
    return one["index"].to_numpy()[head], distance, share, mirrored


class _Judge:
    """Decides on pairs, by thumbnails where there are any, and remembers what it decided."""

    def __init__(self, one: "pd.DataFrame", words: np.ndarray, max_bits: int) -> None:
        self.words, self.max_bits = words, max_bits
        self.thumbs: np.ndarray | None = None
        self.known: dict[tuple[int, int], tuple[float, float, bool]] = {}
        if "thumb" in one:
            flat = np.frombuffer(b"".join(one["thumb"]), np.uint8)
            self.thumbs = flat.reshape(len(one), THUMB, THUMB)

    def pairs(self, pairs: np.ndarray, bits: np.ndarray, mirrored: np.ndarray, max_distance: float) -> np.ndarray:
        """Those pairs (k, 2) that are copies."""
        if self.thumbs is None:
            near = bits <= max_distance * 128
            share = bits[near] / 128
            for (i, j), d, m in zip(pairs[near].tolist(), share.tolist(), mirrored[near].tolist(), strict=True):
                self.known[i, j] = (d, 1.0, m)
            return pairs[near]
        keep = np.zeros(len(pairs), bool)
        for start in range(0, len(pairs), 20_000):
            part = slice(start, start + 20_000)
            (i, j), m = pairs[part].T, mirrored[part]
            a = np.where(m[:, None, None], self.thumbs[i][:, :, ::-1], self.thumbs[i]).reshape(len(i), -1)
            lies = compare.correlations(a, self.thumbs[j].reshape(len(j), -1))
            for k in range(len(i)):
                keep[start + k] = self._fit(int(i[k]), int(j[k]), bool(m[k]), float(lies[k]))[0] <= max_distance
        return pairs[keep]

    def one(self, i: int, j: int) -> tuple[float, float, bool]:
        """(distance, share, mirrored) of one pair, looked at anew where the hashes had not proposed it."""
        i, j = min(i, j), max(i, j)
        if (i, j) not in self.known:
            if self.thumbs is None:
                bits = join.popcount(self.words[:, i] ^ self.words[0, j])
                self.known[i, j] = (bits.min() / 128, 1.0, bool(bits.argmin() >= len(VIEWS) // 2))
            else:
                self._fit(i, j, True, None)
                turned = self.known.pop((i, j))
                self._fit(i, j, False, None)
                self.known[i, j] = min(turned, self.known[i, j])
        return self.known[i, j]

    def _fit(self, i: int, j: int, mirrored: bool, as_lies: float | None) -> tuple[float, float, bool]:
        assert self.thumbs is not None
        a = np.ascontiguousarray(self.thumbs[i][:, ::-1]) if mirrored else self.thumbs[i]
        found = compare.fit(a, self.thumbs[j], as_lies=as_lies)
        self.known[i, j] = (found.distance, found.share, mirrored)
        return self.known[i, j]


def _components(pairs: np.ndarray, n: int) -> list[np.ndarray]:
    """Index arrays of the connected components that have two members or more."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(pairs):
        return []
    graph = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return [p for p in parts if len(p) > 1]


def _told(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Groups numbered by first appearance, the kept one first, with words for how each copy differs."""
    import pandas as pd

    rows = rows.assign(group=pd.factorize(rows["head"])[0]).sort_values(["group", "rank"], kind="stable")
    kept = ~rows["group"].duplicated()
    best = rows[kept].set_index("group")
    out = []
    for row, is_kept in zip(rows.itertuples(), kept, strict=True):
        top = best.loc[row.group]
        how = "kept" if is_kept else _how(row, top)
        if is_kept:
            reason = f"the best of {row.size}: {row.width} × {row.height}, sharpness {row.sharpness:.0f}"
        else:
            reason = f"{how} of {str(top['sha256'])[:12]} (distance {row.distance:.3f})"
        out.append((row.image, row.sha256, row.group, row.distance, is_kept, how, reason))
    return pd.DataFrame(out, columns=_COLUMNS).astype({"group": int, "distance": float, "kept": bool})


def _how(row, top: "pd.Series") -> str:  # type: ignore[no-untyped-def]
    if row.sha256 == top["sha256"]:
        return "same bytes"
    words = ["mirrored"] if row.mirrored else []
    if row.share < 0.97:
        words.append("cropped")
    elif (row.width, row.height) != (top["width"], top["height"]):
        words.append("resized")
    return " and ".join(words or ["re-encoded"]) + " copy"
