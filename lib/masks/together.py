"""A mask and something else on one face: glasses, a beard or a strap under it, a hand or a cup before it."""

from dataclasses import replace

import numpy as np

from .draw import FABRIC, SHADOW, Masked, put_on
from .lookalikes import cover_with
from .styles import Style

__all__ = ["BEFORE", "UNDER", "together"]

UNDER, BEFORE = ("glasses", "strap", "collar", "beard"), ("hand", "phone", "cup", "microphone")


def together(
    rgb: np.ndarray,
    points: np.ndarray,
    *,
    beside: str,
    style: str | Style = "surgical-blue",
    wear: str = "with_mask",
    scarf_as: str = "without_mask",
    rng: np.random.Generator | int = 0,
) -> Masked:
    """Draw a mask as `put_on` does, and beside it a look-alike of `UNDER` or `BEFORE`; the mask decides the label.

    Without such pictures a network learns that glasses and hands mean: no mask. The pixel mask tells the mask alone;
    what else was changed counts as `SHADOW`. Raises ValueError for other names, Outside where one has no room.
    """
    if beside not in (*UNDER, *BEFORE):
        raise ValueError(f"beside: unknown {beside!r}; known are {', '.join((*UNDER, *BEFORE))}")
    rng = np.random.default_rng(rng)
    if beside in UNDER:
        other = cover_with(rgb, points, kind=beside, rng=rng)
        made = put_on(other.rgb, points, style=style, wear=wear, scarf_as=scarf_as, rng=rng)
        mask = np.where((made.mask == 0) & (other.mask > 0), SHADOW, made.mask)
        result = made
    else:
        made = put_on(rgb, points, style=style, wear=wear, scarf_as=scarf_as, rng=rng)
        other = cover_with(made.rgb, points, kind=beside, rng=rng)
        hidden = (other.mask == FABRIC) | ((made.mask == 0) & (other.mask > 0))
        mask = np.where(hidden, SHADOW, made.mask)
        result = replace(made, rgb=other.rgb)
    return replace(result, mask=mask.astype(np.uint8), parameters=made.parameters | {"beside": beside})
