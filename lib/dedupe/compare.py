"""Two thumbnails laid over one another: how alike they are once shift, crop, scale and light are taken out."""

from dataclasses import dataclass

import cv2
import numpy as np

from .prints import THUMB

__all__ = ["Fit", "correlations", "fit"]

_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
SURE, HOPELESS = 0.99, 0.4  # correlations as they lie: no need, no use, to align further
FAR = 0.2  # distance after a first alignment: another start will not help


@dataclass(frozen=True)
class Fit:
    """distance (1 − correlation over the overlap, 0–2), share of the larger picture that the smaller shows."""

    distance: float
    share: float = 1.0


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation (k,) of thumbnails (k, s·s), uint8, row by row."""
    a, b = (x.astype(np.float32) - x.mean(axis=1, keepdims=True, dtype=np.float32) for x in (a, b))
    return (a * b).sum(1) / np.maximum(np.sqrt((a * a).sum(1) * (b * b).sum(1)), 1e-6)


def fit(a: np.ndarray, b: np.ndarray, *, as_lies: float | None = None) -> Fit:
    """Align thumbnail a (s, s) with b by an affine map (ECC, Evangelidis and Psarakis 2008) and compare the overlap.

    as_lies: their correlation without alignment, where it is known.
    """
    if as_lies is None:
        as_lies = float(correlations(a.reshape(1, -1), b.reshape(1, -1))[0])
    if as_lies >= SURE or as_lies < HOPELESS:
        return Fit(1 - as_lies)
    best = Fit(1 - as_lies)
    for scale in (1.0, 0.9, 1.1):
        found = _align(a, b, scale)
        if found is not None and found.distance < best.distance:
            best = found
        if best.distance < 1 - SURE or best.distance > FAR:
            break
    return best


def _align(a: np.ndarray, b: np.ndarray, scale: float) -> Fit | None:
    warp = np.array([[scale, 0, (1 - scale) * THUMB / 2], [0, scale, (1 - scale) * THUMB / 2]], np.float32)
    try:
        _, warp = cv2.findTransformECC(a, b, warp, cv2.MOTION_AFFINE, _STOP, None, 3)
    except cv2.error:  # it did not converge: these two have nothing to align
        return None
    if not _is_plausible(warp):
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(b, warp, (THUMB, THUMB), flags=flags)
    seen = cv2.warpAffine(np.full_like(b, 255), warp, (THUMB, THUMB), flags=flags) > 250
    if seen.mean() < 0.6:
        return None
    alike = correlations(a[seen][None], laid[seen][None])[0]
    grown = float(np.sqrt(abs(np.linalg.det(warp[:, :2]))))
    return Fit(1 - float(alike), min(grown, 1 / grown))


def _is_plausible(warp: np.ndarray) -> bool:
    """A crop or a resize scales and shifts; it hardly turns or shears."""
    (a, b, _), (c, d, _) = warp
    return 0.7 < a < 1.4 and 0.7 < d < 1.4 and abs(b) < 0.08 and abs(c) < 0.08
