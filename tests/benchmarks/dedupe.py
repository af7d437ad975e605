"""Measure duplicate finding on a made truth: photos, each copied in twelve known ways, against imagededup's PHash.

    python -m tests.benchmarks.dedupe FOLDER [FOLDER …] [--strangers FOLDER] [--photos 785] [--side 640]
    python -m tests.benchmarks.dedupe --hashes 10000 100000 1000000

The first prints recall (of all pairs of one origin), precision (of all pairs put together), seconds, and by transform
the share of originals met again; both ways work on the same files in one run with as many processes. Strangers are
photos without a copy, look-alikes among them. imagededup itself is run where it can be imported (its CNN, and with it
torch, is left out); otherwise its way is repeated: full decode, phash, all pairs within 10 bits. The second groups
simulated hashes with planted groups and prints seconds and peak memory.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import imagehash
import numpy as np
import pandas as pd
from PIL import Image

from lib import dedupe, images


def _cut(rgb: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    h, w = rgb.shape[:2]
    return rgb[round(h * top) : round(h * (1 - bottom)), round(w * left) : round(w * (1 - right))]


def _watermark(rgb: np.ndarray) -> np.ndarray:
    picture, (h, w) = rgb.copy(), rgb.shape[:2]
    cv2.putText(
        picture, "(c) PHOTO", (w // 12, h // 2), cv2.FONT_HERSHEY_DUPLEX, w / 260, (255, 255, 255), max(1, w // 150)
    )
    return cv2.addWeighted(picture, 0.6, rgb, 0.4, 0)


TRANSFORMS = {
    "recompressed": lambda rgb: images.read(images.encode(rgb, quality=25)),
    "half size": lambda rgb: cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "enlarged": lambda rgb: cv2.resize(rgb, None, fx=1.4, fy=1.4, interpolation=cv2.INTER_CUBIC),
    "mirrored": lambda rgb: rgb[:, ::-1],
    "cropped 5 %": lambda rgb: _cut(rgb, 0.05, 0.02, 0.0, 0.03),
    "cropped 12 %": lambda rgb: _cut(rgb, 0.12, 0.04, 0.0, 0.08),
    "brighter": lambda rgb: (255 * (rgb / 255) ** 0.65).astype(np.uint8),
    "darker": lambda rgb: (rgb * 0.6).astype(np.uint8),
    "bordered": lambda rgb: cv2.copyMakeBorder(
        rgb, *(round(max(rgb.shape) * 0.05),) * 4, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    ),
    "watermarked": _watermark,
    "grey": lambda rgb: np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
    "mirrored, cropped": lambda rgb: _cut(rgb[:, ::-1], 0.0, 0.05, 0.06, 0.0),
}


# Pictures that the public sets hold twice, cut or saved anew: left out, or right answers count as wrong. Proposed by
# our own groups and confirmed by eye, so twins that only another method would see may still be in.
TWINS = {f"maksssksksss{n}" for n in (302, 623, 847, 849)} | {
    f"wi-{n:04d}" for n in (24, 60, 88, 105, 116, 189, 326, 348, 367)
}


def make(
    photos: list[Path], folder: Path, *, strangers: Iterable[Path] = (), side: int | None = None
) -> dict[str, tuple[int, str]]:
    """Write every photo and its copies, and the strangers once; origin and transform by file. side: in pixels."""
    truth = {}
    for origin, photo in enumerate([*photos, *strangers]):
        rgb = images.read(photo)
        if side:
            scale = side / max(rgb.shape)
            rgb = cv2.resize(
                rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            )
        changes = TRANSFORMS if origin < len(photos) else {}
        for how, change in {"original": lambda rgb: rgb, **changes}.items():
            file = folder / f"{origin:04d}-{how.replace(' ', '_').replace('%', 'p')}.jpg"
            images.write(file, np.ascontiguousarray(change(rgb)), quality=85)
            truth[str(file)] = (origin, how)
    return truth


def without_twins(photos: list[Path]) -> list[Path]:
    """Leave out photos that the folder holds twice already: TWINS, and by imagehash.phash within 4 bits."""
    photos = [p for p in photos if p.stem not in TWINS]
    hashes = np.stack([imagehash.phash(Image.open(p).convert("L")).hash.ravel() for p in photos])
    packed = np.packbits(hashes, axis=1).view(np.uint64).ravel()
    return [p for i, p in enumerate(photos) if not (np.bitwise_count(packed[i] ^ packed[:i]) <= 4).any()]


def ours(files: list[str], workers: int = 1) -> set[tuple[str, str]]:
    """Pairs of images of one group."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            prints, _ = dedupe.fingerprints(files, executor=pool)
    else:
        prints, _ = dedupe.fingerprints(files)
    pairs = set()
    for _, group in dedupe.groups(prints).groupby("group"):
        members = sorted(group["image"])
        pairs |= {(a, b) for i, a in enumerate(members) for b in members[i + 1 :]}
    return pairs


def default(files: list[str], workers: int = 1) -> set[tuple[str, str]]:
    """Pairs within 10 bits of imagehash.phash, after a full decode."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            hashes = np.stack(list(pool.map(_plain, files, chunksize=16)))
    else:
        hashes = np.stack([_plain(f) for f in files])
    packed = np.packbits(hashes, axis=1).view(np.uint64).ravel()
    pairs = set()
    for i in range(len(files) - 1):
        for j in np.flatnonzero(np.bitwise_count(packed[i] ^ packed[i + 1 :]) <= 10):
            pairs.add(tuple(sorted((files[i], files[i + 1 + j]))))
    return pairs


def _plain(file: str) -> np.ndarray:
    return imagehash.phash(Image.open(file).convert("RGB")).hash.ravel()


def library() -> Callable | None:
    """imagededup's PHash at its defaults, or None where it cannot be imported."""
    for name, word in (("imagededup.methods.cnn", "CNN"), ("imagededup.utils.models", "CustomModel"), ("pywt", "")):
        sys.modules.setdefault(name, types.ModuleType(name)).__dict__.setdefault(word, None)  # its other methods
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from imagededup.methods import PHash
    except ImportError:
        return None

    def find(files: list[str], workers: int = 1) -> set[tuple[str, str]]:
        folder, several = Path(files[0]).parent, workers if workers > 1 else 0
        found = PHash(verbose=False).find_duplicates(
            image_dir=folder, num_enc_workers=several, num_dist_workers=several
        )
        return {tuple(sorted((str(folder / a), str(folder / b)))) for a, others in found.items() for b in others}

    return find


def score(pairs: set[tuple[str, str]], truth: dict[str, tuple[int, str]]) -> tuple[float, float, Counter]:
    """(recall over all pairs of one origin, precision, share of originals found again by transform)."""
    right = {p for p in pairs if truth[p[0]][0] == truth[p[1]][0]}
    origins = Counter(origin for origin, _ in truth.values())
    possible = sum(n * (n - 1) // 2 for n in origins.values())
    met: Counter = Counter()
    for a, b in right:
        hows = {truth[a][1], truth[b][1]}
        if "original" in hows:
            met[(hows - {"original"}).pop()] += 1
    return len(right) / possible, len(right) / max(len(pairs), 1), met


def compare(options: argparse.Namespace) -> None:
    photos = without_twins([p for f in options.folders for p in images.find(f)])
    chosen = np.random.default_rng(options.seed).choice(len(photos), min(options.photos, len(photos)), replace=False)
    strangers = without_twins(images.find(options.strangers)) if options.strangers else []
    known = library()
    ways = {"ours": ours, "imagededup PHash" if known else "phash <= 10": known or default}
    with tempfile.TemporaryDirectory() as folder:
        truth = make([photos[i] for i in sorted(chosen)], Path(folder), strangers=strangers, side=options.side)
        files = sorted(truth)
        print(f"{len(chosen)} photos × {1 + len(TRANSFORMS)} and {len(strangers)} strangers: {len(files)} files")
        rows = {}
        for name, way in ways.items():
            start = time.perf_counter()
            pairs = way(files, options.workers)
            seconds = time.perf_counter() - start
            recall, precision, met = score(pairs, truth)
            rows[name] = {"seconds": seconds, "recall": recall, "precision": precision}
            rows[name] |= {how: met[how] / len(chosen) for how in TRANSFORMS}
            wrong = sorted(p for p in pairs if truth[p[0]][0] != truth[p[1]][0])
            print(
                f"{name}: {len(pairs)} pairs, {len(wrong)} wrong", [tuple(Path(f).name for f in p) for p in wrong[:4]]
            )
        table = pd.DataFrame(rows)
        table["ratio"] = table.iloc[:, 0] / table.iloc[:, 1]
        print(table.round(3).to_string())


def simulated(n: int, *, seed: int = 0, width: int = 128) -> tuple[pd.DataFrame, np.ndarray]:
    """Fingerprints without thumbnails: n images, a tenth of them in planted groups of 2 to 6; and each one's origin.

    Copies differ from the first of their group in up to 8 of the 128 bits.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 7, max(1, n // 40))
    alone = n - int(sizes.sum())
    origin = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), len(sizes) + np.arange(alone)])
    words = rng.integers(0, 2**64, (len(sizes) + alone, 2), dtype=np.uint64)[origin]
    first = np.diff(origin, prepend=-1) != 0
    for _ in range(8):
        bit = rng.integers(0, width, n)
        flip = np.flatnonzero(~first)
        words[flip, bit[flip] // 64] ^= np.uint64(1) << (bit[flip] % 64).astype(np.uint64)
    table = pd.DataFrame({"image": np.arange(n).astype(str), "sha256": np.arange(n).astype(str)})
    table = table.assign(width=640, height=480, bytes=rng.integers(1, 99_999, n), sharpness=100.0)
    return table.assign(phash=words[:, 0], dhash=words[:, 1]), origin


def grouped(n: int) -> tuple[float, float, float, float]:
    """(seconds, peak GiB of the process, recall of planted copies, precision of pairs) for n simulated hashes."""
    table, origin = simulated(n)
    start = time.perf_counter()
    found = dedupe.groups(table, max_bits=16, max_distance=16 / 128)
    seconds = time.perf_counter() - start
    of = found.assign(origin=origin[found["image"].astype(int)])
    met = of.groupby(["group", "origin"]).size()
    planted = np.bincount(origin)
    pairs = lambda sizes: (sizes * (sizes - 1) / 2).sum()  # noqa: E731
    right, made = pairs(met), pairs(of.groupby("group").size())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return seconds, peak, right / pairs(planted), right / max(made, 1)


def main(arguments: list[str]) -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folders", type=Path, nargs="*")
    asked.add_argument("--strangers", type=Path)
    asked.add_argument("--photos", type=int, default=785)
    asked.add_argument("--side", type=int, default=640)
    asked.add_argument("--workers", type=int, default=os.cpu_count())
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--hashes", type=int, nargs="+", default=[])
    options = asked.parse_args(arguments)
    for n in options.hashes:  # each in a process of its own, so that the peak is its own
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, peak, recall, precision = pool.apply(grouped, (n,))
        print(f"{n:>9,} hashes: {seconds:6.1f} s, peak {peak:.2f} GiB, recall {recall:.3f}, precision {precision:.4f}")
    if options.folders:
        compare(options)


if __name__ == "__main__":
    main(sys.argv[1:])
