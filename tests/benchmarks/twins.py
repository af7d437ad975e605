"""Measure masked twins on a made truth: bare photos, each given one or two artificial masks, among strangers.

    python -m tests.benchmarks.twins FOLDER [--strangers FOLDER] [--photos 613] [--half 1]

The largest face of each photo gets a mask by chance (style, way of wearing, seed); the copy is cropped by up to 6 % a
side, scaled by 0.5 to 1.2, mirrored once in seven times and saved at JPEG quality 45 to 91. Faces are boxed by YuNet in
every picture on its own. Strangers are all other faces of the photos and of the folder of strangers, whose two class
folders tell their labels. Printed are, for several thresholds: recall (masked faces that share a group with their bare
face), pairs found, those that are wrong, and precision; for the half of the photos chosen (0 tunes, 1 reports).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib import boxes, dedupe, faces, images, landmarks, masks
from lib.masks.shapes import WEARS

COLUMNS = ["image", "x1", "y1", "x2", "y2", "label", "identity", "kind"]


def make(photos: Iterable[Path], folder: Path) -> pd.DataFrame:
    """Write the masked copies and box all faces: a table with each face's identity and kind (bare, masked, other)."""
    find, locate, rows = faces.finder("yunet"), landmarks.finder(), []
    for photo in photos:
        rgb, rng = images.read(photo), np.random.default_rng(int(images.sha256(photo)[:12], 16))
        seen = find(rgb).xyxy
        rows += [(str(photo), *b, "without_mask", f"{photo.name} {i}", "other") for i, b in enumerate(seen)]
        if not len(seen):
            continue
        face = int(boxes.area(seen).argmax())
        points = locate(rgb, seen[face : face + 1])[0]
        if landmarks.implausible(points, seen[face]):
            continue
        rows[face - len(seen)] = (*rows[face - len(seen)][:-1], "bare")
        for copy in range(int(rng.integers(1, 3))):
            style, wear = rng.choice(list(masks.STYLES)), rng.choice(list(WEARS), p=_shares())
            made = masks.put_on(rgb, points, style=style, wear=wear, rng=rng)
            part, moved = _handled(made.rgb, seen, rng)
            file = images.write(folder / f"{photo.stem}-{copy}.jpg", part, quality=int(rng.integers(45, 92)))
            rows += _boxed(file, find(images.read(file)).xyxy, moved, photo.name, face=face, label=made.label)
    return pd.DataFrame(rows, columns=COLUMNS)


def _shares() -> np.ndarray:
    share = np.where(np.array(list(WEARS)) == "with_mask", 0.6, 0.4 / (len(WEARS) - 1))
    return share / share.sum()


def _handled(rgb: np.ndarray, xyxy: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture cropped, scaled and perhaps mirrored, and where its boxes are then."""
    (h, w), cut, scale = rgb.shape[:2], rng.uniform(0, 0.06, 4), rng.uniform(0.5, 1.2)
    x1, y1, x2, y2 = (round(v) for v in (w * cut[0], h * cut[1], w * (1 - cut[2]), h * (1 - cut[3])))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    part = cv2.resize(rgb[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=how)
    moved = (xyxy - (x1, y1, x1, y1)) * scale
    if rng.random() < 1 / 7:
        part, wide = part[:, ::-1], part.shape[1]
        moved = np.stack([wide - moved[:, 2], moved[:, 1], wide - moved[:, 0], moved[:, 3]], axis=1)
    return np.ascontiguousarray(part), moved


def _boxed(file: Path, seen: np.ndarray, moved: np.ndarray, name: str, *, face: int, label: str) -> list[tuple]:
    """Rows for the faces found in a copy; a masked face that was not found has none."""
    rows, overlap = [], boxes.iou(seen, moved)
    for i, box in enumerate(seen):
        match = int(overlap[i].argmax())
        known = overlap[i, match] > 0.35
        masked = known and match == face
        who = f"{name} {match}" if known else f"{file.name} new {i}"
        rows.append((str(file), *box, label if masked else "without_mask", who, "masked" if masked else "other"))
    return rows


def strange(folder: Path) -> pd.DataFrame:
    """All faces of the class folders with_mask and without_mask."""
    find, rows = faces.finder("yunet"), []
    for photo in images.find(folder):
        for i, box in enumerate(find(images.read(photo)).xyxy):
            rows.append((str(photo), *box, photo.parent.name, f"{photo} {i}", "stranger"))
    return pd.DataFrame(rows, columns=COLUMNS)


def score(twins: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Recall of masked faces, pairs of different labels put together, the wrong ones, precision."""
    place = ["image", "x1", "y1", "x2", "y2"]
    of = twins.merge(truth[[*place, "identity", "kind"]], on=place)
    pairs = of.merge(of, on="group")
    pairs = pairs[(pairs["label_x"] != pairs["label_y"]) & (pairs["label_x"] < pairs["label_y"])]
    mine = pairs[~((pairs["kind_x"] == "stranger") & (pairs["kind_y"] == "stranger"))]
    right = mine["identity_x"] == mine["identity_y"]
    bare = set(truth.loc[truth["kind"] == "bare", "identity"])
    masked = truth[(truth["kind"] == "masked") & truth["identity"].isin(bare)]
    met = of[of["kind"] == "masked"].merge(of[of["kind"] == "bare"], on=["group", "identity"])
    found = met.drop_duplicates(["image_x", "identity"])
    return {"masked": len(masked), "recall": len(found) / max(len(masked), 1), "pairs": len(mine),
            "wrong": int((~right).sum()), "precision": float(right.mean()) if len(mine) else 1.0,
            "among strangers": len(pairs) - len(mine)}  # fmt: skip


def main(arguments: list[str]) -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--strangers", type=Path)
    asked.add_argument("--photos", type=int)
    asked.add_argument("--half", type=int, choices=(0, 1), default=1)
    asked.add_argument("--distance", type=float, nargs="+", default=[0.10])
    options = asked.parse_args(arguments)
    photos = images.find(options.folder)[: options.photos]
    with tempfile.TemporaryDirectory() as folder:
        truth = make(photos[options.half :: 2], Path(folder))
        if options.strangers:
            truth = pd.concat([truth, strange(options.strangers)], ignore_index=True)
        truth = truth.drop_duplicates(["image", "x1", "y1", "x2", "y2"])
        print(f"{len(truth)} faces:", truth["kind"].value_counts().to_dict())
        rows = {}
        for distance in options.distance:
            start = time.perf_counter()
            twins, _ = dedupe.masked_twins(truth, max_distance=distance)
            rows[distance] = {"seconds": time.perf_counter() - start} | score(twins, truth)
    print(pd.DataFrame(rows).T.round(4).to_string())


if __name__ == "__main__":
    main(sys.argv[1:])
