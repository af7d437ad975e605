"""What a folder of crops betrays before any network sees it: the figures behind notebook 04, as JSON.

python -m lib.evaluate.audit FOLDER --out models/audit-faces-4k.json
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import classes, dataset, dedupe, faces, images, labels
from .baselines import faked, shortcut

__all__ = ["audit"]

MARGIN, SIZE = 0.25, 96


def audit(folder: str | Path, *, progress: Callable | None = None) -> dict[str, Any]:
    """Measure a labelled folder's shortcuts: trees on files and on blur, look-alikes, and what they would have faked.

    Twins are found by perceptual hash (mirrored copies too), persons by file name. Takes some minutes a thousand
    images. Raises ValueError where there is one class only.
    """
    table, _ = labels.read_folder(folder)
    prints, _ = dedupe.fingerprints(sorted(set(table["image"])), progress=progress)
    twins = dedupe.groups(prints)
    table = dataset.group(dataset.locate(table, faces.finder(), progress=progress), twins=twins)
    table = dataset.split(table)
    crops = dataset.crops(table, margin=MARGIN, size=SIZE, progress=progress)
    pictures = np.array([_blur(image) for image in (progress or iter)(table["image"])])
    blur = {"picture": ("sharpness, darkness of the whole picture", pictures)}
    sizes = table.groupby("group").size()
    copies = table.assign(group=table["image"].map(dict(zip(twins["image"], twins["group"], strict=True))))
    copies["group"] = copies["group"].astype(str).where(copies["group"].notna(), copies["image"])
    return {
        "folder": Path(folder).resolve().name,
        "images": int(table["image"].nunique()),
        "faces": {name: int((table["label"] == name).sum()) for name in classes.NAMES},
        "framing": table["framing"].value_counts().to_dict(),
        "groups": {"all": len(sizes), "with look-alikes": int((sizes > 1).sum()), "largest": int(sizes.max())},
        "shortcut": shortcut(table.assign(group=table["image"]), crops=crops, more=blur).to_dict(orient="records"),
        "leaks": dataset.leaks(table).to_dict(orient="records"),
        "leaks, copies only": dataset.leaks(copies.drop(columns="split")).to_dict(orient="records"),
        "faked": faked(table, crops),
        "sharpness of the whole picture, median": {
            name: round(float(np.median(pictures[table["label"] == name, 0])), 1)
            for name in classes.NAMES
            if (table["label"] == name).any()
        },
    }


def _blur(image: str) -> tuple[float, float]:
    rgb = images.read(image)
    return images.sharpness(rgb), float(rgb.mean())


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    images.write(given.out, json.dumps(audit(given.folder), indent=1, default=float) + "\n")


if __name__ == "__main__":
    _main()
