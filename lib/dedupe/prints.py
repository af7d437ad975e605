"""Fingerprints: what is kept of an image to find its copies without opening it again."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from .. import batch, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HASHES", "THUMB", "VIEWS", "fingerprints"]

HASHES = ("phash", "dhash")  # 64 bits each, by imagehash
VIEWS = ("", "_inner", "_middle", "_mirror", "_inner_mirror", "_middle_mirror")  # and each seen in a mirror
THUMB = 48  # side of the grey thumbnail that settles doubtful pairs
MAX_SIDE = 256  # JPEGs are decoded at the reduced size next above this
CUTS = (0.0, 0.035, 0.08)  # cut off each side for the whole, the inner and the middle view
_COLUMNS = ["image", "sha256", "width", "height", "bytes", "sharpness", "brightness", "contrast",
            *(h + v for v in VIEWS for h in HASHES), "thumb"]  # fmt: skip


def fingerprints(
    files: Iterable[str | Path],
    *,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Hash images, each read once at reduced size: (a row an image in the order given, skipped files with reason).

    Columns: image (the file), sha256, width, height, bytes, sharpness (variance of the Laplacian), brightness and
    contrast (mean and spread of grey, 0–255), the 64-bit hashes of six views, thumb (grey, 48 × 48 bytes).
    """
    import pandas as pd

    rows, skipped = batch.run(_fingerprint, [str(f) for f in files], executor=executor, progress=progress)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.astype({h + v: np.uint64 for v in VIEWS for h in HASHES}), skipped


def _fingerprint(file: str) -> dict[str, Any]:
    content = Path(file).read_bytes()
    rgb = images.read(content, max_side=MAX_SIDE)
    width, height = images.size(file)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    row = {"image": file, "sha256": images.sha256(content), "width": width, "height": height, "bytes": len(content)}
    row |= {"sharpness": images.sharpness(rgb), "brightness": float(grey.mean()), "contrast": float(grey.std())}
    inside = _without_border(grey)
    for view, pixels in zip(VIEWS, _views(inside), strict=True):
        row |= {name + view: value for name, value in zip(HASHES, _hashes(pixels), strict=True)}
    return row | {"thumb": cv2.resize(inside, (THUMB, THUMB), interpolation=cv2.INTER_AREA).tobytes()}


def _views(grey: np.ndarray) -> list[np.ndarray]:
    h, w = grey.shape
    views = []
    for cut in CUTS:
        y, x = round(h * cut), round(w * cut)
        views.append(cv2.resize(grey[y : h - y, x : w - x], (32, 32), interpolation=cv2.INTER_AREA))
    return [*views, *(v[:, ::-1] for v in views)]


def _hashes(grey: np.ndarray) -> list[int]:
    import imagehash

    picture = Image.fromarray(np.ascontiguousarray(grey))
    found = imagehash.phash(picture), imagehash.dhash(picture)
    return [int.from_bytes(np.packbits(f.hash).tobytes(), "big") for f in found]


def _without_border(grey: np.ndarray, *, spread: float = 6.0) -> np.ndarray:
    """Cut off an even frame: rows and columns at the edge that hardly differ from the corner's shade.

    At most a quarter of each side is cut, and only where a fifth of the picture or more stays in each direction.
    """
    even_rows = (grey.std(axis=1) < spread) & (np.abs(grey.mean(axis=1) - grey[0, 0]) < 2 * spread)
    even_columns = (grey.std(axis=0) < spread) & (np.abs(grey.mean(axis=0) - grey[0, 0]) < 2 * spread)
    (top, bottom), (left, right) = _ends(even_rows), _ends(even_columns)
    return grey[top:bottom, left:right]


def _ends(even: np.ndarray) -> tuple[int, int]:
    n, most = len(even), len(even) // 4
    busy = np.flatnonzero(~even)
    if not len(busy):
        return 0, n
    first, last = int(busy[0]), int(busy[-1]) + 1
    return (first if first <= most else 0), (last if n - last <= most else n)
