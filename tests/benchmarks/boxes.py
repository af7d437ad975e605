"""What the face finder finds, how its boxes lie beside labelled ones, and what it costs: the table behind its settings.

    python tests/benchmarks/boxes.py --data ../shared/data --write tests/benchmarks/boxes.json [--every 4]

For each labelled source, size of look and minimum score: recall of faces at IoU 0.5 and 0.3 by size and class, found
boxes a photo, CPU milliseconds a photo (one thread). Then the framing: what is added to a raw box in shares of its
width and height, each fitted on one class of one source and judged on all of them; what ships is judged beside them.
Sources: photos-labelled, photos-worn-incorrectly (one origin), tight crops of masked faces in faces-4k whose edges
are somebody's box, and masks drawn on photos-bare, shrunk to faces of 16–80 pixels, whose box is the bare face's.

Tried and not kept, fitted on one of photos-labelled and photos-worn-incorrectly and judged on the other, share of
masked faces at IoU 0.5 beside a constant: ridge on YuNet's five landmarks + 1 point, but none once the framing is the
mean of several origins; ridge on HOG of the crop + 1 to 3; ridge on the classifier's pooled features + 1 to 2, with
wrongly worn masks falling from 91 to 82 %.
"""

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib import boxes, faces, images, labels, landmarks, masks

Shot = tuple[np.ndarray, np.ndarray, list[str]]  # rgb, labelled boxes (n, 4), classes
SIZES = ((12, 20), (20, 40), (40, 90), (90, 100_000))


def labelled(folder: Path, every: int) -> Iterator[Shot]:
    """Every so many photos of a folder of photos with Pascal VOC boxes."""
    table, _ = labels.read_folder(folder)
    for image, rows in list(table.groupby("image", sort=True))[::every]:
        yield images.read(image), rows[["x1", "y1", "x2", "y2"]].to_numpy(float), rows["label"].tolist()


def tight(folder: Path, every: int) -> Iterator[Shot]:
    """Masked crops whose edges are a box: those with a number for a name, with a border laid around."""
    named = (p for p in sorted(folder.glob("*.jpg")) if re.match(r"\d+\.jpg|\d_\d_", p.name))
    for path in list(named)[::every]:
        rgb = images.read(path)
        h, w = rgb.shape[:2]
        pad = round(0.6 * max(h, w))
        wide = cv2.copyMakeBorder(rgb, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        yield wide, np.array([[pad, pad, pad + w, pad + h]], float), ["with_mask"]


def drawn(folder: Path, every: int) -> Iterator[Shot]:
    """Masks drawn on bare faces, the photo then made small; the box is the one found on the bare face before."""
    find, locate, rng = faces.finder("yunet", max_side=640), landmarks.finder(), np.random.default_rng(0)
    for path in sorted(folder.glob("*.jpg"))[::every]:
        rgb = images.read(path)
        xyxy = raw(find(rgb).xyxy[:1].astype(float))
        points = locate(rgb, xyxy)
        if not len(points) or not np.isfinite(points[0]).all():
            continue
        made = masks.put_on(rgb, points[0], style=rng.choice(list(masks.STYLES)), rng=rng)
        scale = min(1.0, float(np.exp(rng.uniform(np.log(16), np.log(80)))) / (xyxy[0, 2] - xyxy[0, 0]))
        small = cv2.resize(made.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield small, xyxy * scale, [made.label]


def raw(xyxy: np.ndarray) -> np.ndarray:
    """YuNet's own boxes out of the finder's: its framing taken back."""
    left, top, right, bottom = faces.FRAMING
    w, h = ((xyxy[:, 2:] - xyxy[:, :2]) / (1 + right - left, 1 + bottom - top)).T
    return xyxy - np.column_stack([left * w, top * h, right * w, bottom * h])


def compared(shots: list[Shot], find: faces.Finder) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Recall, boxes and CPU time over shots; and the pairs of labelled and found box, with what they show."""
    pairs, found, seconds = [], 0, 0.0
    for rgb, truth, names in shots:
        start = time.process_time()
        seen = find(rgb)
        seconds += time.process_time() - start
        found += len(seen)
        xyxy = seen.xyxy.astype(float)
        of = boxes.match(xyxy, truth, np.ones(len(xyxy)) if not len(seen) else seen.confidence, min_iou=0.15)
        for t, name in enumerate(names):
            at = np.flatnonzero(of == t)
            pairs.append({"label": name, "truth": truth[t], "found": xyxy[at[0]] if len(at) else None})
    table: dict[str, Any] = {"faces": len(pairs), "found": round(found / len(shots), 2)}
    table["cpu_ms"] = round(1e3 * seconds / len(shots), 1)
    for name in sorted({p["label"] for p in pairs}):
        for low, high in SIZES:
            overlaps = [overlap(p) for p in pairs if p["label"] == name and low <= side(p) < high]
            if len(overlaps) >= 20:
                shares = [round(float(np.mean(np.array(overlaps) >= least)), 3) for least in (0.5, 0.3)]
                table[f"{name} {low}+"] = [len(overlaps), *shares]
    return table, pairs


def side(pair: dict[str, Any]) -> float:
    return float((pair["truth"][2:] - pair["truth"][:2]).min())


def overlap(pair: dict[str, Any]) -> float:
    return 0.0 if pair["found"] is None else float(boxes.iou(pair["found"][None], pair["truth"][None])[0, 0])


def framings(sources: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What a constant, fitted on one source, does on all: [mean IoU, share of IoU ≥ 0.5] of the faces that were found.

    A row a framing: none, what ships, the median of each source and class of at least 25 faces.
    """
    found = {}
    for source, pairs in sources.items():
        for name in sorted({p["label"] for p in pairs}):
            chosen = [p for p in pairs if p["label"] == name and p["found"] is not None and side(p) >= 12]
            if len(chosen) >= 25:
                found[f"{source} {name}"] = [np.array([p[k] for p in chosen]) for k in ("found", "truth")]
    found = {key: (raw(seen), truth) for key, (seen, truth) in found.items()}
    wished = {"none": np.zeros(4), "shipped": np.array(faces.FRAMING)}
    for key, (seen, truth) in found.items():
        wished[f"median of {key}"] = np.median((truth - seen) / np.tile(seen[:, 2:] - seen[:, :2], 2), axis=0)
    rows = []
    for key, added in wished.items():
        row: dict[str, Any] = {"framing": key, "added": added.round(3).tolist()}
        for source, (seen, truth) in found.items():
            there = seen + np.tile(seen[:, 2:] - seen[:, :2], 2) * added
            overlaps = np.array([boxes.iou(a[None], b[None])[0, 0] for a, b in zip(there, truth, strict=True)])
            row[source] = [len(seen), round(float(overlaps.mean()), 3), round(float((overlaps >= 0.5).mean()), 3)]
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--every", type=int, default=1, help="look at every so many photos only")
    wish = parser.parse_args()
    cv2.setNumThreads(1)
    sources = {name: list(labelled(wish.data / name, wish.every)) for name in
               ("photos-labelled", "photos-worn-incorrectly")}  # fmt: skip
    sources["tight crops"] = list(tight(wish.data / "faces-4k" / "with_mask", wish.every * 4))
    sources["drawn masks"] = list(drawn(wish.data / "photos-bare", wish.every * 2))
    settings = [(max_side, 0.5) for max_side in (320, 640, 1280)] + [(1280, 0.3)]
    looks, pairs = [], {}
    for max_side, least in settings:
        find = faces.finder("yunet", max_side=max_side, min_score=least)
        for name, shots in sources.items():
            table, now = compared(shots, find)
            looks.append({"source": name, "max_side": max_side, "min_score": least, **table})
            if (max_side, least) == (1280, 0.5):
                pairs[name] = now
    report = {"every": wish.every, "looks": looks, "framings": framings(pairs)}
    text = json.dumps(report, indent=1)
    print(text)
    if wish.write:
        images.write(wish.write, text + "\n")


if __name__ == "__main__":
    main()
