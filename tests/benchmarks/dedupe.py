"""Measure duplicate finding on a made truth: photos, each copied in twelve known ways, against imagededup's PHash.

    python -m tests.benchmarks.dedupe FOLDER [FOLDER …] [--strangers FOLDER] [--photos 785] [--side 640] [--repeat 3]
    python -m tests.benchmarks.dedupe FOLDER … --transforms random --seed 7 --rest
    python -m tests.benchmarks.dedupe --hashes 10000 31623 100000 316228 1000000 [--out FILE.json]

The first prints recall (of all pairs of one origin), precision (of all pairs put together), seconds, and by transform
the share of originals met again; both ways work on the same files in one run with as many processes, in turns where
repeated. Strangers are photos without a copy, look-alikes among them; --rest takes the photos that were not chosen.
imagededup itself is run where it can be imported (its CNN, and with it torch, is left out); otherwise its way is
repeated: full decode, phash, all pairs within 10 bits. The last groups simulated hashes of all views, with planted
groups, and prints seconds and peak memory. --out keeps what was printed, each kind beside what the file has already.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
import types
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from PIL import Image

from lib import dedupe, files, images

from .copies import make, simulated, without_twins

Pairs = set[tuple[str, str]]


def ours(paths: list[str], workers: int = 1) -> Pairs:
    """Pairs of images of one group."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            prints, _ = dedupe.fingerprints(paths, executor=pool)
            groups = dedupe.groups(prints, executor=pool)
    else:
        groups = dedupe.groups(dedupe.fingerprints(paths)[0])
    pairs = set()
    for _, members in groups.sort_values("image").groupby("group")["image"]:
        pairs |= set(combinations(members, 2))
    return pairs


def default(paths: list[str], workers: int = 1) -> Pairs:
    """Pairs within 10 bits of imagehash.phash, after a full decode."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            hashes = np.stack(list(pool.map(_plain, paths, chunksize=16)))
    else:
        hashes = np.stack([_plain(f) for f in paths])
    packed = np.packbits(hashes, axis=1).view(np.uint64).ravel()
    pairs = set()
    for i in range(len(paths) - 1):
        for j in np.flatnonzero(np.bitwise_count(packed[i] ^ packed[i + 1 :]) <= 10):
            pairs.add(tuple(sorted((paths[i], paths[i + 1 + j]))))
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

    def find(paths: list[str], workers: int = 1) -> Pairs:
        folder, several = Path(paths[0]).parent, workers if workers > 1 else 0
        found = PHash(verbose=False).find_duplicates(
            image_dir=folder, num_enc_workers=several, num_dist_workers=several
        )
        return {tuple(sorted((str(folder / a), str(folder / b)))) for a, others in found.items() for b in others}

    return find


def score(pairs: Pairs, truth: dict[str, tuple[int, str]]) -> tuple[float, float, Counter]:
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


def compare(options: argparse.Namespace) -> dict:
    """Run both ways, in turns where repeated; print and return what came out."""
    photos = without_twins([p for f in options.folders for p in images.find(f)])
    rng = np.random.default_rng(options.seed)
    chosen = set(rng.choice(len(photos), min(options.photos, len(photos)), replace=False).tolist())
    strangers = without_twins(images.find(options.strangers)) if options.strangers else []
    if options.rest:
        strangers += [p for i, p in enumerate(photos) if i not in chosen]
    known = library()
    ways = {"ours": ours, "imagededup PHash" if known else "phash <= 10": known or default}
    with tempfile.TemporaryDirectory() as folder:
        drawing = rng if options.transforms == "random" else None
        copied = [photos[i] for i in sorted(chosen)]
        truth = make(copied, Path(folder), strangers=strangers, side=options.side, rng=drawing)
        kinds = list(dict.fromkeys(how for _, how in truth.values() if how != "original"))
        print(f"{len(chosen)} photos × {1 + len(kinds)} and {len(strangers)} strangers: {len(truth)} files", flush=True)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        rows = {}
        for _ in range(options.repeat):
            for name, way in ways.items():
                start = time.perf_counter()
                pairs = way(sorted(truth), options.workers)
                taken[name].append(time.perf_counter() - start)
                if name not in rows:
                    rows[name] = _told(name, pairs, truth, kinds)
    for name, seconds in taken.items():
        rows[name] = {"seconds": statistics.median(seconds)} | rows[name]
        print(f"{name}: {' '.join(f'{s:.1f}' for s in seconds)} s")
    table = pd.DataFrame(rows)
    table["ratio"] = table.iloc[:, 0] / table.iloc[:, 1]
    print(table.round(3).to_string())
    asked = {"photos": len(chosen), "strangers": len(strangers), "files": len(truth), "side": options.side}
    asked |= {"folders": [f.parent.name if f.name == "images" else f.name for f in options.folders]}
    asked |= {"transforms": options.transforms, "seed": options.seed, "workers": options.workers}
    rounded = {k: {h: round(v, 4) for h, v in row.items()} for k, row in rows.items()}
    return asked | {"ways": rounded, "seconds": {k: [round(s, 1) for s in v] for k, v in taken.items()}}


def _told(name: str, pairs: Pairs, truth: dict[str, tuple[int, str]], kinds: list[str]) -> dict[str, float]:
    """Recall, precision and by kind the share found again; the origins that were mixed up are printed."""
    recall, precision, met = score(pairs, truth)
    mixed = Counter(tuple(sorted((truth[a][0], truth[b][0]))) for a, b in pairs if truth[a][0] != truth[b][0])
    print(f"{name}: {len(pairs)} pairs, {sum(mixed.values())} of two origins: {mixed.most_common(6)}", flush=True)
    photos = sum(how == kinds[0] for _, how in truth.values())
    return {"recall": recall, "precision": precision} | {how: met[how] / photos for how in kinds}


def grouped(n: int) -> dict[str, float]:
    """Seconds, peak GiB of the process, recall of planted copies and precision of pairs for n simulated hashes.

    All views take part, and as many bits may differ as for images; where thumbnails would decide, 16 bits do.
    """
    table, origin = simulated(n)
    start = time.perf_counter()
    found = dedupe.groups(table, max_distance=16 / 128)
    seconds = time.perf_counter() - start
    of = found.assign(origin=origin[found["image"].astype(int)])
    pairs = lambda sizes: float((sizes * (sizes - 1) / 2).sum())  # noqa: E731
    right, made = pairs(of.groupby(["group", "origin"]).size()), pairs(of.groupby("group").size())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = {"seconds": seconds, "gib": peak, "recall": right / pairs(np.bincount(origin))}
    return {"hashes": n} | {k: round(v, 4) for k, v in (told | {"precision": right / max(made, 1)}).items()}


def main(arguments: list[str]) -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folders", type=Path, nargs="*")
    asked.add_argument("--strangers", type=Path)
    asked.add_argument("--rest", action="store_true")
    asked.add_argument("--photos", type=int, default=785)
    asked.add_argument("--side", type=int, default=640)
    asked.add_argument("--transforms", choices=["fixed", "random"], default="fixed")
    asked.add_argument("--workers", type=int, default=os.cpu_count())
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--repeat", type=int, default=1)
    asked.add_argument("--hashes", type=int, nargs="+", default=[])
    asked.add_argument("--out", type=Path)
    options = asked.parse_args(arguments)
    told: dict = {}
    for n in options.hashes:  # each in a process of its own, so that the peak is its own
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row = pool.apply(grouped, (n,))
        told.setdefault("growth", []).append(row)
        print("{hashes:>9,} hashes: {seconds:6.1f} s, peak {gib:.2f} GiB, recall {recall:.4f}, "
              "precision {precision:.4f}".format(**row), flush=True)  # fmt: skip
    if options.folders:
        told[options.transforms] = compare(options)
    if options.out:
        before = json.loads(options.out.read_text()) if options.out.exists() else {}
        files.write(options.out, json.dumps(before | told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
