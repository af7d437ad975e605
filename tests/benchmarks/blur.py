"""How many labelled faces `python -m lib blur` hides.

    python -m tests.benchmarks.blur FOLDER

FOLDER holds photos and Pascal VOC files. A face counts as hidden where at least 75 % of its labelled box lies below the
pixelated boxes.
"""

import sys

import numpy as np

from lib import batch, blur, boxes, detect, faces, images, labels

HIDDEN, MARGIN, MIN_SCORE = 0.75, 0.25, 0.3  # the last two as the command has them


def main(folder: str) -> None:
    """Print a line for each size of face."""
    table, _ = labels.read_folder(folder)
    finders = [faces.finder(min_score=MIN_SCORE, max_side=side) for side in blur.SIDES]
    find = blur.thorough([*finders, detect.finder("one-look", min_score=MIN_SCORE)])
    photos = list(table[table["framing"].eq("labelled")].groupby("image"))

    def look(job: tuple) -> tuple[np.ndarray, np.ndarray]:
        image, rows = job
        rgb = images.read(image)
        h, w = rgb.shape[:2]
        hidden = np.zeros((h, w), bool)
        for x1, y1, x2, y2 in boxes.widen(find(rgb), MARGIN, size=(w, h)).round().astype(int):
            hidden[y1:y2, x1:x2] = True
        truth = rows[["x1", "y1", "x2", "y2"]].to_numpy(float)
        parts = [hidden[y1:y2, x1:x2] for x1, y1, x2, y2 in truth.round().astype(int)]
        return (truth[:, 2:] - truth[:, :2]).min(1), np.array([part.mean() if part.size else 0.0 for part in parts])

    seen, skipped = batch.run(look, photos)
    sides, shares = (np.concatenate(column) for column in zip(*seen, strict=True))
    known = f"{len(seen)} photos, {len(skipped)} unreadable, {len(sides)} faces"
    print(f"{known}, finders {faces.finder().name} and one look")
    for least in (1, 12, 20, 40):
        fits = sides >= least
        print(f"at least {least:2} px: {(shares[fits] >= HIDDEN).mean():.1%} of {fits.sum()} hidden")


if __name__ == "__main__":
    main(sys.argv[1])
