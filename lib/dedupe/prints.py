"""Fingerprints: what is kept of an image to find its copies without opening it again."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
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
_SIDE = 96  # all views and the thumbnail are made from the picture shrunk to this side
CUTS = (0, 3, 8)  # pixels of these that the whole, the inner and the middle view lack on each side
_PART = 16  # files that go to a process together
_COLUMNS = ["image", "sha256", "width", "height", "bytes", "sharpness", "brightness", "contrast", "inside",
            *(h + v for v in VIEWS for h in HASHES), "thumb"]  # fmt: skip


def fingerprints(
    files: Iterable[str | Path],
    *,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Hash images, each read once at reduced size: (a row an image in the order given, skipped files with reason).

    Columns: image (the file), sha256, width, height, bytes, sharpness (variance of the Laplacian), brightness and
    contrast (mean and spread of grey, 0–255), inside (share of the area less an even frame), the 64-bit
    hashes of six views, thumb (grey, 48 × 48 bytes).
    """
    import pandas as pd

    in_parts = cast(Executor, SimpleNamespace(map=partial(_by_parts, executor.map if executor else map)))
    rows, skipped = batch.run(_seen, [str(f) for f in files], executor=in_parts, progress=progress)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return table.astype({h + v: np.uint64 for v in VIEWS for h in HASHES}), skipped


def _by_parts(mapped: Callable[..., Iterable[Any]], see: Callable[[str], tuple], files: list[str]) -> Iterator[tuple]:
    """Map some files at a time: one takes little longer than its way to a process and back."""
    for part in mapped(partial(_fingerprint, see), [files[i : i + _PART] for i in range(0, len(files), _PART)]):
        yield from part


def _fingerprint(see: Callable[[str], tuple], files: list[str]) -> list[tuple[dict[str, Any] | None, str | None]]:
    """(row, None) or (None, reason) for each file; the hashes of all are taken at once, which halves their time."""
    tried = [see(file) for file in files]
    rows = [row for row, _ in tried if row is not None]
    if rows:
        found = hashes(np.concatenate([row.pop("views") for row in rows]), mirror=True)
        names = [h + v for v in VIEWS for h in HASHES]
        for row, values in zip(rows, _of_each(found, len(rows)).tolist(), strict=True):
            row.update(zip(names, values, strict=True))
    return tried


def _of_each(found: np.ndarray, n: int) -> np.ndarray:
    """Hashes (2 · n · 3, 2), the mirrored ones last, as (n, 12) in the order of the columns."""
    return found.reshape(2, n, -1, len(HASHES)).swapaxes(0, 1).reshape(n, -1)


def _seen(file: str) -> dict[str, Any]:
    """What is kept of one file, with its views in place of their hashes."""
    content = Path(file).read_bytes()
    grey, (width, height) = _read(file, content)
    row = {"image": file, "sha256": images.sha256(content), "width": width, "height": height, "bytes": len(content)}
    mean, spread = cv2.meanStdDev(grey)
    row |= {"sharpness": _sharpness(grey), "brightness": float(mean.item()), "contrast": float(spread.item())}
    inside = _without_border(grey)
    row["inside"] = inside.size / grey.size
    inside = _small(inside)
    thumb = cv2.resize(inside, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return row | {"views": _views(inside), "thumb": thumb.tobytes()}


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


def _small(grey: np.ndarray) -> np.ndarray:
    """Shrink to _SIDE × _SIDE, from which views and thumbnail are cut; halved first, which is cheap."""
    while min(grey.shape) >= 2 * _SIDE:
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def _views(small: np.ndarray) -> np.ndarray:
    cut = [small[c : _SIDE - c, c : _SIDE - c] for c in CUTS]
    return np.stack([cv2.resize(view, (32, 32), interpolation=cv2.INTER_AREA) for view in cut])


def hashes(grey: np.ndarray, *, mirror: bool = False) -> np.ndarray:
    """imagehash.phash and imagehash.dhash of grey pictures (n, 32, 32), all at once and bit for bit: uint64 (n, 2).

    mirror: also those of the pictures in a mirror, after the plain ones, (2n, 2): there every second frequency changes
    its sign, and what grew brighter to the right grows darker.
    """
    from scipy.fft import dct

    low = dct(dct(grey.astype(float), axis=1)[:, :8], axis=2)[:, :, :8]
    across, down = _lanczos(9), _lanczos(8)
    small = _rounded(down @ _rounded(grey @ across.T))  # across first, then down, as Pillow does
    if mirror:
        low = np.concatenate([low, low * np.where(np.arange(8) % 2, -1.0, 1.0)])
        small = np.concatenate([small, small[:, :, ::-1]])
    flat = low.reshape(-1, 64)
    phash = flat > np.median(flat, axis=1, keepdims=True)
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
    edges = (grey[:1], grey[-1:], grey[:, :1], grey[:, -1:])
    if all(cv2.meanStdDev(e)[1].item() >= spread for e in edges):  # nothing to cut: the usual case
        return grey
    even_rows, even_columns = (_even(grey, axis, spread) for axis in (1, 0))
    (top, bottom), (left, right) = _ends(even_rows), _ends(even_columns)
    return grey[top:bottom, left:right]


def _even(grey: np.ndarray, axis: int, spread: float) -> np.ndarray:
    """Which rows (axis 1) or columns (0) hardly vary, and are about as bright as the corner."""
    n = grey.shape[axis]
    mean = cv2.reduce(grey, axis, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel() / n
    square = cv2.reduce(grey, axis, cv2.REDUCE_SUM2, dtype=cv2.CV_64F).ravel() / n
    return (square - mean**2 < spread**2) & (np.abs(mean - float(grey[0, 0])) < 2 * spread)


def _ends(even: np.ndarray) -> tuple[int, int]:
    n, most = len(even), len(even) // 4
    busy = np.flatnonzero(~even)
    if not len(busy):
        return 0, n
    first, last = int(busy[0]), int(busy[-1]) + 1
    return (first if first <= most else 0), (last if n - last <= most else n)
