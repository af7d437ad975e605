"""How far a figure can be trusted: bootstrap over photos or groups, and the interval of a plain share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["bootstrap", "share"]

Z = 1.959964  # of a two-sided 95 % interval


def bootstrap(
    statistic: Callable[[np.ndarray], float | None],
    units: Sequence[Any],
    *,
    resamples: int = 300,
    seed: int = 0,
) -> list[float] | None:
    """95 % interval of a statistic, by drawing whole units (photos, groups) anew.

    statistic: weights (n,), how often each row was drawn → a figure, or None where these rows have none. units (n,).
    None where fewer than two units, or no draw, give a figure.
    """
    place = np.unique([str(u) for u in units], return_inverse=True)[1]
    count = int(place.max(initial=-1)) + 1
    if count < 2:
        return None
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    values = [v for v in (statistic(draw[place].astype(float)) for draw in draws) if v is not None and np.isfinite(v)]
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return [round(float(low), 4), round(float(high), 4)]


def share(part: int, whole: int) -> tuple[float | None, float | None, float | None]:
    """A share and its 95 % interval after Wilson (1927), which stays honest near 0 and 1; None of nothing."""
    if not whole:
        return None, None, None
    p = part / whole
    middle, width = p + Z**2 / (2 * whole), Z * np.sqrt(p * (1 - p) / whole + Z**2 / (4 * whole**2))
    ends = [(middle + sign * width) / (1 + Z**2 / whole) for sign in (-1, 1)]
    low, high = (round(float(np.clip(end, 0, 1)), 4) for end in ends)
    return round(p, 4), low, high
