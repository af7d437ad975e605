"""How strongly a photo was compressed, read off its pixels, and the same done to what is drawn into it."""

from functools import cache

import cv2
import numpy as np

__all__ = ["GRID", "pressed", "quality"]

GRID = 16  # JPEG's blocks, colour at half the resolution: what is pressed must start on this grid
_BEST = 88  # better than this shows nothing
_LEAST = 24  # so many values are needed for an opinion
# The luminance table of ITU T.81 (annex K) at these frequencies; every quality of the usual encoders scales it.
_AT = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2))
_BASE = np.array([11, 12, 12, 10, 14, 14, 13, 16])


@cache
def _steps() -> np.ndarray:
    """Quantisation steps (qualities 5 … 88, frequencies)."""
    of = np.arange(5, _BEST + 1)[:, None]
    scale = np.where(of < 50, 5000 // of, 200 - 2 * of)
    return np.clip((_BASE * scale + 50) // 100, 1, 255).astype(np.float32)


@cache
def _waves() -> np.ndarray:
    """The cosine transform's basis at those frequencies: (64, frequencies)."""
    at = np.arange(8)
    rows = np.sqrt(np.where(at, 2, 1) / 8)[:, None] * np.cos((2 * at + 1) * at[:, None] * np.pi / 16)
    return np.stack([np.outer(rows[v], rows[u]).ravel() for v, u in _AT], axis=1).astype(np.float32)


def quality(part: np.ndarray) -> int | None:
    """Quality 5–88 of the JPEG that this part of a photo came from; None where it shows no sign of one.

    part (h, w, 3) must start at a multiple of 8 pixels of the photo as stored. A JPEG's frequencies are multiples of
    its steps (Fan and de Queiroz 2003); a photo that was scaled afterwards shows nothing.
    """
    h, w = (side // 8 for side in part.shape[:2])
    if not h * w:
        return None
    grey = cv2.cvtColor(np.ascontiguousarray(part[: h * 8, : w * 8]), cv2.COLOR_RGB2GRAY)
    blocks = grey.reshape(h, 8, w, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    blocks = blocks[:: max(1, len(blocks) // 64)]
    found = blocks.astype(np.float32) @ _waves()
    steps = _steps()
    turns = found[None] / steps[:, None]
    counts = np.abs(turns) > 0.35  # what quantises to 0 tells nothing; half a step speaks against
    fits = (np.cos(2 * np.pi * turns) * counts).sum((1, 2)) / np.maximum(counts.sum((1, 2)), 1)
    good = np.flatnonzero((fits > 0.5) & (counts.sum((1, 2)) >= _LEAST))
    if not len(good):
        return None
    near = good[good < good[0] + 8]  # multiples of the step fit as well: the lowest quality counts, at its best fit
    return int(near[fits[near].argmax()]) + 5


def pressed(part: np.ndarray, of: int) -> np.ndarray:
    """A part of a photo after JPEG compression of a quality; it must start at a multiple of `GRID` pixels."""
    data = cv2.imencode(".jpg", cv2.cvtColor(part, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, of])[1]
    return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
