"""Similar hashes among many, without comparing all with all: a join on samples of their bits."""

import numpy as np

__all__ = ["popcount", "similar"]

_WORK = 4_000_000  # pairs compared at once


def similar(
    hashes: np.ndarray, views: np.ndarray | None = None, *, max_bits: int, bands: int = 24, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs whose hashes differ in at most max_bits bits: (pairs (k, 2) with i < j, bits (k,), view (k,)).

    hashes (n, w), uint64, w words an image; views (v, n, w): the same images looked at otherwise (mirrored, …), each
    compared with the plain hashes; None for the plain ones alone. A pair is looked at when it agrees in all bits of
    one of `bands` random samples (locality-sensitive hashing, Indyk and Motwani 1998), so that work grows with n, not
    n²; a pair may be missed, the more bits differ the likelier (3 % at 15 % of the bits for 10,000 images).
    """
    n, words = hashes.shape
    views = hashes[None] if views is None else views
    if n < 2:
        return np.zeros((0, 2), int), np.zeros(0, int), np.zeros(0, int)
    rng = np.random.default_rng(seed)
    width = int(np.clip(np.ceil(np.log2(n)) - 1, 6, 18))
    best: dict[str, list[np.ndarray]] = {"key": [], "bits": [], "view": []}
    for _ in range(bands):
        bits = rng.choice(64 * words, width, replace=False)
        plain = _sample(hashes, bits)
        order = np.argsort(plain, kind="stable")
        starts = np.searchsorted(plain[order], np.arange((1 << width) + 1))
        for number, view in enumerate(views):
            key = plain if number == 0 and view is hashes else _sample(view, bits)
            for i, j in _meetings(key, order, starts):
                differ = popcount(view[i] ^ hashes[j])
                near = differ <= max_bits
                low, high = np.minimum(i, j)[near], np.maximum(i, j)[near]
                best["key"].append(low.astype(np.int64) * n + high)
                best["bits"].append(differ[near])
                best["view"].append(np.full(len(low), number, np.int8))
    return _nearest(best, n)


def popcount(words: np.ndarray) -> np.ndarray:
    """Number of bits set in each row of (k, w) words."""
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def _sample(hashes: np.ndarray, bits: np.ndarray) -> np.ndarray:
    key = np.zeros(len(hashes), np.uint32)
    for place, bit in enumerate(bits):
        key |= ((hashes[:, bit // 64] >> np.uint64(bit % 64)) & np.uint64(1)).astype(np.uint32) << np.uint32(place)
    return key


def _meetings(key: np.ndarray, order: np.ndarray, starts: np.ndarray):  # type: ignore[no-untyped-def]
    """Yield index arrays (i, j), i < j or not, of images whose keys agree, in portions that fit the memory."""
    begin, count = starts[key], starts[key.astype(np.int64) + 1] - starts[key]
    cut = np.concatenate([[0], np.cumsum(count)])
    first = 0
    while first < len(key):
        last = max(first + 1, int(np.searchsorted(cut, cut[first] + _WORK, side="right")) - 1)
        many = count[first:last]
        i = np.repeat(np.arange(first, last), many)
        within = np.arange(len(i)) - np.repeat(cut[first:last] - cut[first], many)
        j = order[np.repeat(begin[first:last], many) + within]
        yield i[i != j], j[i != j]
        first = last


def _nearest(found: dict[str, list[np.ndarray]], n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair once, with its smallest difference and the view that gave it."""
    key, bits, view = (np.concatenate(found[k]) for k in ("key", "bits", "view"))
    order = np.lexsort((view, bits, key))
    key, bits, view = key[order], bits[order], view[order]
    first = np.ones(len(key), bool)
    first[1:] = key[1:] != key[:-1]
    key = key[first]
    return np.stack([key // n, key % n], axis=1), bits[first], view[first]
