"""What drawing a mask costs: CPU milliseconds on one core, per face and per photo, beside the one blue picture.

    python -m tests.benchmarks.masks FOLDER [--photos 60]

FOLDER holds photos of bare faces. Each is scaled so that the box of its largest face has sides of 100, 250 and 500
pixels in the mean, and saved as a JPEG of quality 75 in memory. Every drawing is timed three times, the quickest
counts; other work on the machine makes the figures larger.
"""

import argparse
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np

from lib import faces, images, landmarks, masks

SIDES, TIMES = (100, 250, 500), 3


@cache
def _picture() -> np.ndarray:
    """One flat blue mask (h, w, 4) with ear loops, as the tutorials' picture has it."""
    picture = np.zeros((300, 480, 4), np.uint8)
    for x in (70, 410):
        cv2.ellipse(picture, (x, 130), (60, 80), 0, 0, 360, (235, 235, 235, 255), 8, cv2.LINE_AA)
    rim = np.array([(60, 40), (240, 10), (420, 40), (410, 200), (330, 280), (240, 295), (150, 280), (70, 200)])
    cv2.fillPoly(picture, [rim], (130, 180, 220, 255), cv2.LINE_AA)
    return picture


def pasted(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The tutorials' way: the picture resized between nose bridge and chin, rotated, laid over the photo."""
    top, chin = points[28], points[8]
    down = chin - top
    h, w = float(np.linalg.norm(down)), float(np.linalg.norm(points[14] - points[2]))
    picture = cv2.resize(_picture(), (max(1, round(w * 1.2)), max(1, round(h * 1.1))))
    angle = float(np.degrees(np.arctan2(down[0], down[1])))
    ph, pw = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((pw / 2, ph / 2), angle, 1.0)
    side = int(np.hypot(pw, ph)) + 1
    turn[:, 2] += (side - pw) / 2, (side - ph) / 2
    picture = cv2.warpAffine(picture, turn, (side, side))
    x, y = np.round((top + chin) / 2 - side / 2).astype(int)
    out = rgb.copy()
    low, high = np.maximum((x, y), 0), np.minimum((x + side, y + side), rgb.shape[1::-1])
    picture = picture[low[1] - y : high[1] - y, low[0] - x : high[0] - x]
    part = out[low[1] : high[1], low[0] : high[0]]
    alpha = picture[..., 3:] / 255
    part[:] = part * (1 - alpha) + picture[..., :3] * alpha
    return out


def cost(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU milliseconds of the quickest of some runs, and what it returned."""
    spent = []
    for _ in range(TIMES):
        start = time.process_time()
        result = work()
        spent.append((time.process_time() - start) * 1e3)
    return min(spent), result


def told(name: str, values: list[float]) -> str:
    """A line: median, 90th percentile and count."""
    return f"  {name:<28} {np.median(values):7.1f} {np.percentile(values, 90):7.1f} {len(values):6}"


def scaled(rgb: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """The photo with this face at a size, compressed."""
    k = side / (box[2:] - box[:2]).mean()
    how = cv2.INTER_CUBIC if k > 1 else cv2.INTER_AREA
    return images.read(images.encode(cv2.resize(rgb, None, fx=k, fy=k, interpolation=how), quality=75))


def measure(paths: list, side: int) -> dict[str, list[float]]:
    """Milliseconds by what was timed, for faces of one size."""
    find, locate = faces.finder(), landmarks.finder()
    spent: dict[str, list[float]] = {}
    styles = list(masks.STYLES)
    for i, path in enumerate(paths):
        rgb = images.read(path)
        found = find(rgb).xyxy
        if not len(found):
            continue
        rgb = scaled(rgb, found[(found[:, 2:] - found[:, :2]).prod(1).argmax()], side)
        seeing, boxes = cost(lambda rgb=rgb: find(rgb).xyxy)
        placing, points = cost(lambda rgb=rgb, boxes=boxes: locate(rgb, boxes))
        good = [p for p, b in zip(points, boxes, strict=True) if landmarks.implausible(p, b) is None]
        if not good:
            continue
        face = max(good, key=lambda p: np.ptp(p))
        style = styles[i % len(styles)]
        drawing, _ = cost(lambda rgb=rgb, face=face, i=i, s=style: masks.put_on(rgb, face, style=s, rng=i))
        rival, _ = cost(lambda rgb=rgb, face=face: pasted(rgb, face))
        every, _ = cost(lambda rgb=rgb, good=good, i=i, s=style: [masks.put_on(rgb, p, style=s, rng=i) for p in good])
        for name, value in (
            (f"a face, {style.split('-')[0]}", drawing),
            ("a face, all styles", drawing),
            ("a face, one blue picture", rival),
            ("a photo, drawing alone", every),
            ("a photo, finding faces", seeing),
            ("a photo, 68 points", placing),
            ("a photo, all of it", seeing + placing + every),
            ("a photo, all, blue picture", seeing + placing + rival * len(good)),
        ):
            spent.setdefault(name, []).append(value)
    return spent


def main() -> None:
    """Print a table for each size of face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--photos", type=int, default=60)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    paths = images.find(given.folder)
    chosen = np.random.default_rng(0).permutation(len(paths))[: given.photos]
    for side in SIDES:
        spent = measure([paths[i] for i in sorted(chosen)], side)
        print(f"faces of {side} px: CPU ms  median     p90  count")
        for name in sorted(spent):
            print(told(name, spent[name]))


if __name__ == "__main__":
    main()
