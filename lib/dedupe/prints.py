"""Fingerprints: what is kept of an image to find its copies without opening it again."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from PIL import ImageOps

from .. import batch, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HASHES", "THUMB", "VIEWS", "fingerprints", "hashes"]

HASHES = ("phash", "dhash")  # 64 bits each, by imagehash
VIEWS = ("", "_inner", "_middle", "_mirror", "_inner_mirror", "_middle_mirror")  # and each seen in a mirror
THUMB = 48  # side of the grey thumbnail that settles doubtful pairs
MAX_SIDE = 256  # JPEGs are decoded at the reduced size next above this, and grey
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

    if isinstance(executor, ProcessPoolExecutor):  # a file takes little longer than its way to a process and back
        executor = cast(Executor, SimpleNamespace(map=partial(executor.map, chunksize=16)))
    rows, skipped = batch.run(_fingerprint, [str(f) for f in files], executor=executor, progress=progress)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.astype({h + v: np.uint64 for v in VIEWS for h in HASHES}), skipped


def _fingerprint(file: str) -> dict[str, Any]:
    content = Path(file).read_bytes()
    grey, (width, height) = _read(file, content)
    row = {"image": file, "sha256": images.sha256(content), "width": width, "height": height, "bytes": len(content)}
    mean, spread = cv2.meanStdDev(grey)
    row |= {"sharpness": _sharpness(grey), "brightness": float(mean.item()), "contrast": float(spread.item())}
    inside = _without_border(grey)
    while min(inside.shape) >= 4 * THUMB:  # halving is cheap, and what follows then sees a quarter
        inside = cv2.resize(inside, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    found = hashes(_views(inside))
    for view, values in zip(VIEWS, found.tolist(), strict=True):
        row |= {name + view: value for name, value in zip(HASHES, values, strict=True)}
    return row | {"thumb": cv2.resize(inside, (THUMB, THUMB), interpolation=cv2.INTER_AREA).tobytes()}


def _read(file: str, content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Grey pixels (h, w), MAX_SIDE or somewhat more on the longer side, and (width, height) of the upright image.

    Of a JPEG only the luminance is decoded, at the reduced size; everything else is read the common way. Raises
    UnreadableImage.
    """
    with images.opened(file, content) as image:
        (w, h), side = image.size, max(image.size)
        if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L") and w * h <= images.MAX_PIXELS:
            turned = image.getexif().get(0x0112, 1) != 1
            image.draft("L", (max(1, w * MAX_SIDE // side), max(1, h * MAX_SIDE // side)))
            grey = np.asarray((ImageOps.exif_transpose(image) if turned else image).convert("L"))
            return grey, (w, h) if (grey.shape[1] > grey.shape[0]) == (w > h) else (h, w)
    rgb = images.read(content, max_side=MAX_SIDE)
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), images.size(file)


def _sharpness(grey: np.ndarray) -> float:
    """As images.sharpness: variance of the Laplacian at 224 × 224."""
    small = cv2.resize(grey, (224, 224), interpolation=cv2.INTER_AREA)
    return float(cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))[1].item() ** 2)


def _views(grey: np.ndarray) -> np.ndarray:
    h, w = grey.shape
    views = []
    for cut in CUTS:
        y, x = round(h * cut), round(w * cut)
        views.append(cv2.resize(grey[y : h - y, x : w - x], (32, 32), interpolation=cv2.INTER_AREA))
    return np.stack([*views, *(v[:, ::-1] for v in views)])


def hashes(grey: np.ndarray) -> np.ndarray:
    """imagehash.phash and imagehash.dhash of grey pictures (n, 32, 32), all at once and bit for bit: uint64 (n, 2)."""
    from scipy.fft import dct

    low = dct(dct(grey.astype(float), axis=1)[:, :8], axis=2)[:, :, :8].reshape(-1, 64)
    phash = low > np.median(low, axis=1, keepdims=True)
    across, down = _lanczos(9), _lanczos(8)
    small = _rounded(down @ _rounded(grey @ across.T))  # across first, then down, as Pillow does
    dhash = (small[:, :, 1:] > small[:, :, :-1]).reshape(-1, 64)
    bits = np.packbits(np.stack([phash, dhash], 1), axis=2)
    return np.ascontiguousarray(bits).view(">u8")[..., 0].astype(np.uint64)


@cache
def _lanczos(size: int) -> np.ndarray:
    """Pillow's weights (size, 32) that shrink 32 pixels to size, in its fixed point of 22 bits; whole numbers."""
    scale = 32 / size
    middle, pixel = (np.arange(size)[:, None] + 0.5) * scale, np.arange(32) + 0.5
    at = (pixel - middle) / scale
    low, high = np.floor(middle - 3 * scale + 0.5), np.floor(middle + 3 * scale + 0.5)
    inside = (np.arange(32) >= np.maximum(low, 0)) & (np.arange(32) < np.minimum(high, 32))
    weight = np.where(inside & (np.abs(at) < 3), np.sinc(at) * np.sinc(at / 3), 0)
    weight /= weight.sum(axis=1, keepdims=True)
    return np.trunc(weight * (1 << 22) + np.copysign(0.5, weight))


def _rounded(fixed: np.ndarray) -> np.ndarray:
    return np.clip(np.floor((fixed + (1 << 21)) / (1 << 22)), 0, 255)


def _without_border(grey: np.ndarray, *, spread: float = 6.0) -> np.ndarray:
    """Cut off an even frame: rows and columns at the edge that hardly differ from the corner's shade.

    At most a quarter of each side is cut, and only where a fifth of the picture or more stays in each direction.
    """
    edges = grey[0], grey[-1], grey[:, 0], grey[:, -1]
    if all(e.std() >= spread for e in edges):  # nothing to cut: the usual case
        return grey
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
