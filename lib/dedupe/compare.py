"""Two thumbnails laid over one another: how alike they are once shift, crop, scale and light are taken out."""

from dataclasses import dataclass

import cv2
import numpy as np

from .prints import THUMB

__all__ = ["Fit", "coarse", "correlations", "fit"]

_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
SURE = 0.02  # distance of edges below which no alignment is tried
ALIKE = 0.45  # agreement of coarse edges below which none is either
FAR = 0.2  # 1 − correlation of shades after a first alignment: another start will not help
STRANGE = 0.6  # distance of edges after a first alignment: the same
_CLEAR = 0.9  # agreement of coarse edges above which no other scale is tried
_CELLS, _CROPS = 16, (2, 4)  # cells a side of the coarse edges; pixels of a thumbnail that a crop takes a side


@dataclass(frozen=True)
class Fit:
    """distance: 1 − correlation of the edges over the overlap, 0–2; share of the larger picture that is common."""

    distance: float
    share: float = 1.0


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation (k,) of thumbnails (k, s·s), uint8, row by row."""
    a, b = (x.astype(np.float32) for x in (a, b))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    product, aa, bb = (np.einsum("kp,kp->k", *xy) for xy in ((a, b), (a, a), (b, b)))
    return product / np.maximum(np.sqrt(aa * bb), 1e-6)


def coarse(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well the coarse edges of thumbnails (k, s, s) agree at best, −1 to 1, and at which scale of a to b.

    Tried are shifts of a cell in each direction at five scales, a cropped or b cropped: cheap and forgiving, it only
    says which pairs are worth an alignment, and where to start it.
    """
    best, scale = np.full(len(a), -1.0, np.float32), np.ones(len(a), np.float32)
    for cut, other in ((0, 0), *((c, 0) for c in _CROPS), *((0, c) for c in _CROPS)):
        open_ = np.flatnonzero(best < _CLEAR)
        if not len(open_):
            break
        found = _shifted(_cells(a[open_], cut), _cells(b[open_], other))
        better = found > best[open_]
        best[open_[better]], scale[open_[better]] = found[better], (THUMB - 2 * cut) / (THUMB - 2 * other)
    return best, scale


def _shifted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The best correlation of cells (k, 2, m, m) over shifts of one cell."""
    k, m = len(a), a.shape[2]
    middle = np.ascontiguousarray(a[:, :, 1:-1, 1:-1]).reshape(k, -1)
    own, best = np.einsum("kp,kp->k", middle, middle), np.full(k, -1.0, np.float32)
    for y in range(3):
        for x in range(3):
            window = b[:, :, y : y + m - 2, x : x + m - 2].reshape(k, -1)
            product, other = np.einsum("kp,kp->k", middle, window), np.einsum("kp,kp->k", window, window)
            best = np.maximum(best, product / np.maximum(np.sqrt(own * other), 1e-6))
    return best


def _cells(thumbs: np.ndarray, cut: int) -> np.ndarray:
    """Edges in both directions of thumbnails less cut pixels a side, averaged over cells: (k, 2, m, m).

    All are laid into one tall picture, so that OpenCV is called once.
    """
    tall = np.ascontiguousarray(thumbs[:, cut : THUMB - cut, cut : THUMB - cut]).reshape(-1, THUMB - 2 * cut)
    edges = [cv2.Sobel(tall, cv2.CV_32F, *d) for d in ((1, 0), (0, 1))]
    small = [cv2.resize(e, (_CELLS, len(thumbs) * _CELLS), interpolation=cv2.INTER_AREA) for e in edges]
    cells = np.stack([e.reshape(-1, _CELLS, _CELLS) for e in small], axis=1)
    cells[:, :, [0, -1]] = 0  # here the picture above or below shows
    return cells


def fit(a: np.ndarray, b: np.ndarray, *, scale: float = 1.0) -> Fit:
    """Align thumbnail a (s, s) with b by an affine map (ECC, Evangelidis and Psarakis 2008) and compare their edges.

    Edges (Sobel), not shades: two takes of one scene agree in shades nearly as well as copies do (correlation of
    shades 0.94, of edges 0.79, where copies reach 0.92 and more). scale: of a to b, where to start.
    """
    best = Fit(_edges_apart(a, b, np.ones(a.shape, bool)))
    closest = 1 - float(correlations(a.reshape(1, -1), b.reshape(1, -1))[0])
    if best.distance < SURE:
        return best
    for start in sorted((1.0, 0.88, 1.14), key=lambda s: abs(np.log(s / scale))):
        found = _align(a, b, start)
        if found is not None and found[0] < closest:
            closest, best = found
        if best.distance < 2 * SURE or closest > FAR or best.distance > STRANGE:
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
