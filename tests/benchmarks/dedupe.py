"""Measure duplicate finding on a made truth: photos, each copied in twelve known ways, against imagehash's default.

    python -m tests.benchmarks.dedupe FOLDER [--photos 200] [--seed 0]

Prints recall (pairs of original and copy found) and precision (pairs found that are of one origin), recall by
transform, and seconds. The baseline is a full decode, imagehash.phash, and all pairs within 10 bits, as imagededup
does by default.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import cv2
import imagehash
import numpy as np
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


def make(photos: list[Path], folder: Path) -> dict[str, tuple[int, str]]:
    """Write every photo and its copies; origin and transform by file."""
    truth = {}
    for origin, photo in enumerate(photos):
        rgb = images.read(photo)
        for how, change in {"original": lambda rgb: rgb, **TRANSFORMS}.items():
            file = folder / f"{origin:04d}-{how.replace(' ', '_').replace('%', 'p')}.jpg"
            images.write(file, np.ascontiguousarray(change(rgb)), quality=85)
            truth[str(file)] = (origin, how)
    return truth


def without_twins(photos: list[Path]) -> list[Path]:
    """Leave out photos that the folder holds twice already (imagehash.phash within 4 bits)."""
    hashes = np.stack([imagehash.phash(Image.open(p).convert("L")).hash.ravel() for p in photos])
    packed = np.packbits(hashes, axis=1).view(np.uint64).ravel()
    return [p for i, p in enumerate(photos) if not (np.bitwise_count(packed[i] ^ packed[:i]) <= 4).any()]


def ours(files: list[str]) -> set[tuple[str, str]]:
    """Pairs of the kept image and each copy."""
    prints, _ = dedupe.fingerprints(files)
    found = dedupe.groups(prints)
    pairs = set()
    for _, group in found.groupby("group"):
        members = sorted(group["image"])
        pairs |= {(a, b) for i, a in enumerate(members) for b in members[i + 1 :]}
    return pairs


def default(files: list[str]) -> set[tuple[str, str]]:
    """Pairs within 10 bits of imagehash.phash, after a full decode."""
    hashes = np.stack([imagehash.phash(Image.open(f).convert("RGB")).hash.ravel() for f in files])
    packed = np.packbits(hashes, axis=1).view(np.uint64).ravel()
    pairs = set()
    for i in range(len(files) - 1):
        for j in np.flatnonzero(np.bitwise_count(packed[i] ^ packed[i + 1 :]) <= 10):
            pairs.add(tuple(sorted((files[i], files[i + 1 + j]))))
    return pairs


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


def main(arguments: list[str]) -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--photos", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    options = asked.parse_args(arguments)
    found = without_twins(images.find(options.folder))
    chosen = np.random.default_rng(options.seed).choice(len(found), min(options.photos, len(found)), replace=False)
    with tempfile.TemporaryDirectory() as folder:
        truth = make([found[i] for i in sorted(chosen)], Path(folder))
        files = sorted(truth)
        print(f"{len(chosen)} photos, {len(files)} files")
        for name, way in (("ours", ours), ("imagehash.phash <= 10", default)):
            start = time.perf_counter()
            pairs = way(files)
            seconds = time.perf_counter() - start
            recall, precision, met = score(pairs, truth)
            print(f"{name}: recall {recall:.3f}, precision {precision:.4f}, {seconds:.1f} s")
            for how in TRANSFORMS:
                print(f"    {how:18s} {met[how] / len(chosen):.3f}")
            wrong = sorted(p for p in pairs if truth[p[0]][0] != truth[p[1]][0])
            print("    wrong:", [tuple(Path(f).name for f in p) for p in wrong[:6]] if name == "ours" else len(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
