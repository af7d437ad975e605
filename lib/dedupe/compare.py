"""Two thumbnails laid over one another: how alike they are once shift, crop, scale and light are taken out."""

from dataclasses import dataclass

import cv2
import numpy as np

from .prints import THUMB

__all__ = ["Fit", "correlations", "fit"]

_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
SURE = 0.01  # distance of edges below which no alignment is tried
HOPELESS = 0.4  # correlation of shades, as they lie, below which none is either
FAR = 0.2  # 1 − correlation of shades after a first alignment: another start will not help


@dataclass(frozen=True)
class Fit:
    """distance: 1 − correlation of the edges over the overlap, 0–2; share of the larger picture that is common."""

    distance: float
    share: float = 1.0


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation (k,) of thumbnails (k, s·s), uint8, row by row."""
    a, b = (x.astype(np.float32) - x.mean(axis=1, keepdims=True, dtype=np.float32) for x in (a, b))
    return (a * b).sum(1) / np.maximum(np.sqrt((a * a).sum(1) * (b * b).sum(1)), 1e-6)


def fit(a: np.ndarray, b: np.ndarray, *, as_lies: float | None = None) -> Fit:
    """Align thumbnail a (s, s) with b by an affine map (ECC, Evangelidis and Psarakis 2008) and compare their edges.

    Edges (Sobel), not shades: two takes of one scene agree in shades nearly as well as copies do (correlation of
    shades 0.94, of edges 0.79, where copies reach 0.92 and more). as_lies: the correlation of shades without alignment.
    """
    if as_lies is None:
        as_lies = float(correlations(a.reshape(1, -1), b.reshape(1, -1))[0])
    best, closest = Fit(_edges_apart(a, b, np.ones(a.shape, bool))), 1 - as_lies
    if as_lies < HOPELESS or best.distance < SURE:
        return best
    for scale in (1.0, 0.9, 1.1):
        found = _align(a, b, scale)
        if found is not None and found[0] < closest:
            closest, best = found
        if best.distance < SURE or closest > FAR:
            break
    return best


def _align(a: np.ndarray, b: np.ndarray, scale: float) -> tuple[float, Fit] | None:
    """(1 − correlation of shades, fit) after alignment from a start; None where there is no plausible one."""
    warp = np.array([[scale, 0, (1 - scale) * THUMB / 2], [0, scale, (1 - scale) * THUMB / 2]], np.float32)
    try:
        _, warp = cv2.findTransformECC(a, b, warp, cv2.MOTION_AFFINE, _STOP, None, 3)  # type: ignore[call-overload]
    except cv2.error:  # it did not converge: these two have nothing to align
        return None
    if not _is_plausible(warp):
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(b, warp, (THUMB, THUMB), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(np.full_like(b, 255), warp, (THUMB, THUMB), flags=flags) > 250
    if seen.mean() < 0.6:
        return None
    apart = 1 - float(correlations(a[seen][None], laid[seen][None])[0])
    grown = float(np.sqrt(abs(np.linalg.det(warp[:, :2]))))
    inside = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return apart, Fit(_edges_apart(a, laid, inside), min(grown, 1 / grown))


def _edges_apart(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    edges = [np.concatenate([cv2.Sobel(x, cv2.CV_32F, *d)[where] for d in ((1, 0), (0, 1))])[None] for x in (a, b)]
    return 1 - float(correlations(*edges)[0])


def _is_plausible(warp: np.ndarray) -> bool:
    """A crop or a resize scales and shifts; it hardly turns or shears."""
    (a, b, _), (c, d, _) = warp
    return 0.7 < a < 1.4 and 0.7 < d < 1.4 and abs(b) < 0.03 and abs(c) < 0.03
