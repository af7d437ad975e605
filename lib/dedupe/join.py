"""Similar hashes among many, without comparing all with all: a join on samples of their bits."""

from collections.abc import Iterator

import numpy as np

__all__ = ["popcount", "similar"]

_WORK = 4_000_000  # pairs compared at once


def similar(
    hashes: np.ndarray, views: np.ndarray | None = None, *, max_bits: int, bands: int = 48, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs whose hashes differ in at most max_bits bits: (pairs (k, 2) with i < j, bits (k,), view (k,)).

    hashes (n, w), uint64, w words an image; views (v, n, w): the same images looked at otherwise (mirrored, …), each
    compared with the plain hashes; None for the plain ones alone. A pair is looked at when it agrees in all bits of
    one of `bands` random samples (locality-sensitive hashing, Indyk and Motwani 1998), so that work grows with n, not
    n²; a pair may be missed, the more bits differ the likelier (at 20 % of the bits 7 % of
    pairs among 10,000 images, at 15 % 11 % among a million).
    """
    n, words = hashes.shape
    views = hashes[None] if views is None else views
    if n < 2:
        return np.zeros((0, 2), int), np.zeros(0, int), np.zeros(0, int)
    rng = np.random.default_rng(seed)
    width = int(np.clip(np.ceil(np.log2(n)) - 1, 6, 22))
    found = [np.zeros(0, np.int64)]  # pair, bits and view in one number, so that sorting them is fast
    for _ in range(bands):
        sample = _Sample(rng, words, width)
        plain = sample(hashes)
        order = np.argsort(plain, kind="stable")
        ordered, starts = hashes[order], np.concatenate([[0], np.cumsum(np.bincount(plain, minlength=sample.keys))])
        for number, view in enumerate(views):
            key = plain if number == 0 and view is hashes else sample(view)
            for i, place in _meetings(starts[key], starts[key + 1]):
                differ = popcount(view[i] ^ ordered[place])
                near = np.flatnonzero(differ <= max_bits)
                i, j, differ = i[near], order[place[near]], differ[near]
                pair = np.minimum(i, j) * n + np.maximum(i, j)
                found.append(((pair * (64 * words + 1) + differ) * len(views) + number)[i != j])
        found = [_nearest(np.concatenate(found), len(views) * (64 * words + 1))]
    pair, rest = np.divmod(found[0], len(views) * (64 * words + 1))
    return np.stack(np.divmod(pair, n), axis=1), *np.divmod(rest, len(views))


def popcount(words: np.ndarray) -> np.ndarray:
    """Number of bits set in each row of (k, w) words."""
    counts = np.bitwise_count(words)
    return sum((counts[:, w] for w in range(1, words.shape[1])), counts[:, 0].astype(np.int64))


class _Sample:
    """Keys of hashes that agree in some of their bits, chosen by chance: the same bits give the same key."""

    def __init__(self, rng: np.random.Generator, words: int, width: int) -> None:
        bits = rng.choice(64 * words, width, replace=False)
        self.masks = [np.uint64(sum(1 << int(b % 64) for b in bits[bits // 64 == w])) for w in range(words)]
        self.odd = rng.integers(0, 2**63, words, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self.keys, self.shift = 1 << (width + 3), np.uint64(64 - width - 3)  # so that others hardly meet by chance

    def __call__(self, hashes: np.ndarray) -> np.ndarray:
        """Keys (n,) below .keys, by multiplication (Dietzfelbinger and others 1997)."""
        key = (hashes[:, 0] & self.masks[0]) * self.odd[0]
        for w in range(1, hashes.shape[1]):
            key += (hashes[:, w] & self.masks[w]) * self.odd[w]
        return (key >> self.shift).astype(np.int64)


def _meetings(begin: np.ndarray, end: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (i, place), places from begin[i] to end[i] for each i, in portions that fit the memory."""
    cut = np.concatenate([[0], np.cumsum(end - begin)])
    first = 0
    while first < len(begin):
        last = max(first + 1, int(np.searchsorted(cut, cut[first] + _WORK, side="right")) - 1)
        i = np.repeat(np.arange(first, last), cut[first + 1 : last + 1] - cut[first:last])
        yield i, np.arange(cut[first], cut[last]) + (begin - cut[:-1])[i]
        first = last


def _nearest(found: np.ndarray, one: int) -> np.ndarray:
    """Of each pair the least number, that is its smallest difference; a pair's numbers start at its number · one."""
    found = np.sort(found)
    return found[np.diff(found // one, prepend=-1) != 0]
