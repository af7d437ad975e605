"""Masked twins: the same face of the same photo with and without a mask, told by what a mask leaves free.

A mask changes the lower half of a face, and the detector's box with it. So each box gives a small grey field of
forehead, brows and eyes with room around; hashes of the field, seen through several windows, propose pairs (as among
copies); the best fit of the one's upper face in the other's field, over scale and shift, decides.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import batch, classes, images
from . import join
from .prints import hashes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["masked_twins"]

# Pixels. A box is UNIT wide in its field; LEFT and TOP lie outside it. Measured on YuNet's boxes of the same photo bare
# and masked: the top moves by −10 to +5 % of the width, the centre by ± 5 %, the width by −5 to +13 %; the eyes lie at
# 54 % of the width below the top, the mask begins at 60 % (2 % of masks above 47 %).
UNIT, LEFT, TOP = 40, 9, 12
FIELD = (58, 44)  # width, height
CORE = (9, 10, 49, 36)  # x1, y1, x2, y2 of the upper face in the field: from above the brows to the lower lids
SCALES = (0.92, 1.0, 1.09)  # of the windows that are hashed,
STEP = 2  # and how far they are moved, in both directions
WINDOWS = tuple((look, y, x) for look in range(2 * len(SCALES)) for y in range(3) for x in range(3))  # plain, mirrored
PLAIN = WINDOWS.index((1, 1, 1))
FINE = tuple(np.geomspace(0.84, 1.19, 8))  # scales of the last comparison
COARSE = 0.55  # agreement of coarse edges below which no pair is fitted
_BOX = ["x1", "y1", "x2", "y2"]
_AT_ONCE = 4096  # pairs
_COLUMNS = ["image", *_BOX, "label", "group", "distance", "how", "reason"]


def masked_twins(
    faces: "pd.DataFrame",
    *,
    max_distance: float = 0.10,
    max_bits: int = 30,
    min_side: int = 24,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Find the faces that are one face with and without a mask: (a row a face that has a twin, skipped images).

    faces: image, x1, y1, x2, y2, label; several rows an image are welcome. Two faces of the same label are copies at
    most and not compared (that is what `groups` finds); a label of "" is compared with all. Boxes narrower than
    min_side pixels show too little and are left out. distance is 1 − the correlation of the edges of the upper faces
    where they fit best, mirrored or not; a twin has at most max_distance (among 6,800 faces other takes of one
    person begin at 0.09, strangers at 0.11). Whoever is a twin's twin is in its group.
    Columns: image, x1, y1, x2, y2, label, group, distance (to the nearest twin), how, reason; a group's bare face, or
    else its largest, comes first.
    """
    table = faces.reset_index(drop=True)
    table = table[(table["x2"] - table["x1"] >= min_side) & (table["y2"] - table["y1"] >= min_side)]
    jobs = [_Job(str(image), tuple(map(tuple, rows[_BOX].to_numpy(float)))) for image, rows in table.groupby("image")]
    cut, skipped = batch.run(_fields, jobs, executor=executor, progress=progress)
    lost = {row["item"] for row in skipped}
    order = [i for image, rows in table.groupby("image") if str(image) not in lost for i in rows.index]
    table = table.loc[order].reset_index(drop=True)
    fields = np.concatenate(cut) if cut else np.zeros((0, *FIELD[::-1]), np.uint8)
    pairs, distance, mirrored = _matched(fields, table["label"].fillna("").to_numpy(str), max_distance, max_bits)
    return _told(table, pairs, distance, mirrored), skipped


@dataclass(frozen=True)
class _Job:
    """An image and the boxes in it; shown by its path."""

    image: str
    boxes: tuple[tuple[float, ...], ...]

    def __str__(self) -> str:
        return self.image


def _fields(job: _Job) -> np.ndarray:
    """The fields (n, 44, 58) of an image's boxes, grey; a large photo is read at reduced size."""
    w, h = images.size(job.image)
    boxes = [_framed(np.array(box)) for box in job.boxes]
    smallest = min(box[2] - box[0] for box in boxes)
    side = int(np.ceil(max(w, h) * 2 * UNIT / smallest))
    rgb = images.read(job.image, max_side=side if side < max(w, h) / 2 else None)
    grey, scale = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), rgb.shape[1] / w
    return np.stack([_field(grey, box * scale) for box in boxes])


def _framed(box: np.ndarray) -> np.ndarray:
    """A box (4,) as YuNet frames a face: 1.35 times as tall as wide. HOG's are square, smaller and lower."""
    w, h = box[2:] - box[:2]
    if abs(w / h - 1) > 0.02:
        return box
    mean = (w + h) / 2 / 0.94  # of YuNet's sides, measured on 289 faces that both found
    half = np.array([1, 1.35]) * mean / 2.35
    centre = (box[:2] + box[2:]) / 2 - (0, 0.06 * mean)
    return np.concatenate([centre - half, centre + half])


def _field(grey: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Around the upper part of a box (4,): whole pixels, the border replicated where it reaches past the photo."""
    pixel = (box[2] - box[0]) / UNIT
    x, y = box[0] - LEFT * pixel, box[1] - TOP * pixel
    h, w = grey.shape
    left, right = int(np.floor(x)), int(np.ceil(x + FIELD[0] * pixel))
    top, bottom = int(np.floor(y)), int(np.ceil(y + FIELD[1] * pixel))
    inside = grey[min(max(top, 0), h - 1) : max(bottom, 1), min(max(left, 0), w - 1) : max(right, 1)]
    over = max(-top, 0), max(bottom - h, 0), max(-left, 0), max(right - w, 0)
    inside = cv2.copyMakeBorder(inside, *over, cv2.BORDER_REPLICATE)
    return cv2.resize(inside, FIELD, interpolation=cv2.INTER_AREA if pixel > 1 else cv2.INTER_CUBIC)


def _matched(
    fields: np.ndarray, labels: np.ndarray, max_distance: float, max_bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Twins (k, 2) among the fields, their distance (k,) and whether one is mirrored."""
    if len(fields) < 2:
        return np.zeros((0, 2), int), np.zeros(0), np.zeros(0, bool)
    looks = _looks(fields)
    words = np.stack([_hashed(looks[look], y, x) for look, y, x in WINDOWS])
    pairs, _, window = join.similar(words[PLAIN], words, max_bits=max_bits)
    one, two = labels[pairs.T]
    alike = np.where((one != two) | (one == ""), 0.0, -1.0)
    open_ = np.flatnonzero(alike == 0)
    alike[open_] = _coarse(looks, pairs[open_], window[open_])
    pairs, mirrored = pairs[alike >= COARSE], window[alike >= COARSE] >= len(WINDOWS) // 2
    distance = np.array([_apart(fields[i], fields[j], m) for (i, j), m in zip(pairs, mirrored, strict=True)])
    near = distance <= max_distance
    return pairs[near], distance[near], mirrored[near]


def _looks(fields: np.ndarray) -> list[np.ndarray]:
    """The upper faces with 2 pixels around them, at each scale, plain and then mirrored: (n, 30, 44) each."""
    x, y = (CORE[0] + CORE[2]) / 2, (CORE[1] + CORE[3]) / 2
    w, h = CORE[2] - CORE[0] + 2 * STEP, CORE[3] - CORE[1] + 2 * STEP
    looks = []
    for scale in SCALES:
        warp = np.array([[scale, 0, x - 0.5 - scale * (w - 1) / 2], [0, scale, y - 0.5 - scale * (h - 1) / 2]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        looks.append(
            np.stack([cv2.warpAffine(f, warp, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE) for f in fields])
        )
    return looks + [look[:, :, ::-1] for look in looks]


def _hashed(look: np.ndarray, y: int, x: int) -> np.ndarray:
    h, w = CORE[3] - CORE[1], CORE[2] - CORE[0]
    part = look[:, y * STEP : y * STEP + h, x * STEP : x * STEP + w]
    return hashes(np.stack([cv2.resize(p, (32, 32), interpolation=cv2.INTER_LINEAR) for p in part]))


def _coarse(looks: list[np.ndarray], pairs: np.ndarray, window: np.ndarray) -> np.ndarray:
    """How well coarse edges agree (k,) in the window that brought a pair together, −1 to 1."""
    alike, core = np.full(len(pairs), -1.0, np.float32), _cells(looks[WINDOWS[PLAIN][0]])
    for look in range(len(looks)):
        cells = _cells(looks[look])
        for number in np.flatnonzero([w[0] == look for w in WINDOWS]):
            these = np.flatnonzero(window == number)
            for start in range(0, len(these), _AT_ONCE):
                part = these[start : start + _AT_ONCE]
                i, j = pairs[part].T
                alike[part] = np.maximum(*(_agree(cells, core, *ab, WINDOWS[number]) for ab in ((i, j), (j, i))))
    return alike


def _cells(look: np.ndarray) -> np.ndarray:
    """Edges in both directions, averaged over 2 × 2 pixels: (n, 15, 22, 2)."""
    size = look.shape[2] // STEP, look.shape[1] // STEP
    plain = np.ascontiguousarray(look)
    edges = [[cv2.resize(cv2.Sobel(p, cv2.CV_32F, *d), size, interpolation=cv2.INTER_AREA) for p in plain]
             for d in ((1, 0), (0, 1))]  # fmt: skip
    return np.stack(edges, axis=-1)


def _agree(
    cells: np.ndarray, core: np.ndarray, i: np.ndarray, j: np.ndarray, window: tuple[int, int, int]
) -> np.ndarray:
    _, y, x = window
    h, w = cells.shape[1] - 2, cells.shape[2] - 2
    a = cells[i, y : y + h, x : x + w].reshape(len(i), -1)
    b = core[j, 1 : 1 + h, 1 : 1 + w].reshape(len(j), -1)
    product, aa, bb = (np.einsum("kp,kp->k", *ab) for ab in ((a, b), (a, a), (b, b)))
    return product / np.maximum(np.sqrt(aa * bb), 1e-6)


def _apart(a: np.ndarray, b: np.ndarray, mirrored: bool) -> float:
    """1 − the best correlation of a's upper face with any place in b's field, over FINE scales."""
    a, found, best = (a[:, ::-1] if mirrored else a), _edges(b), -1.0
    for scale in FINE:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        edges = _edges(cv2.resize(a, None, fx=scale, fy=scale, interpolation=how))
        x1, y1, x2, y2 = (round(v * scale) for v in CORE)
        best = max(best, float(cv2.matchTemplate(found, edges[y1:y2, x1:x2], cv2.TM_CCORR_NORMED).max()))
    return 1 - best


def _edges(grey: np.ndarray) -> np.ndarray:
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.7)
    return np.dstack([cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)])


def _told(table: "pd.DataFrame", pairs: np.ndarray, distance: np.ndarray, mirrored: np.ndarray) -> "pd.DataFrame":
    """Groups of twins, numbered by first appearance, the bare and then the largest face first, with words."""
    import pandas as pd
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(table)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    part = connected_components(links, directed=False)[1] if n else np.zeros(0, int)
    ends = pd.DataFrame({"face": pairs.T.ravel(), "other": pairs[:, ::-1].T.ravel()})
    ends = ends.assign(distance=np.tile(distance, 2), mirrored=np.tile(mirrored, 2))
    near = ends.sort_values("distance", kind="stable").drop_duplicates("face").set_index("face").sort_index()
    rows = table.loc[near.index, ["image", *_BOX, "label"]].join(near).assign(group=part[near.index])
    rows["bare"], rows["side"] = rows["label"] == classes.NAMES[1], rows["x2"] - rows["x1"]
    rows["group"] = pd.factorize(rows["group"])[0]
    rows = rows.sort_values(["group", "bare", "side"], ascending=[True, False, False], kind="stable")
    first = ~rows["group"].duplicated()
    told = [_said(row, table.loc[row.other], head) for row, head in zip(rows.itertuples(), first, strict=True)]
    rows["how"], rows["reason"] = [t[0] for t in told], [t[1] for t in told]
    rows["distance"] = rows["distance"].where(~first, 0.0)
    return rows[_COLUMNS].reset_index(drop=True)


def _said(row, twin, head: bool) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    how = "head" if head else "mirrored twin" if row.mirrored else "twin"
    words = [str(x.label) or "no label" for x in (row, twin)]
    name = PurePath(str(twin.image)).name
    return how, f"{words[0]} here, {words[1]} in {name}: the upper faces agree (distance {row.distance:.3f})"
