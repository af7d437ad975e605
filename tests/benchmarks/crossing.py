"""Train on one source of photos and test on the others: what a model knows of masks, and not of one collection.

    python -m tests.benchmarks.crossing DATA --out FILE.json [--recipe small]

Sources by origin: faces-4k with the `obs` photos of photos-bare; photos-853; the three folders of one origin
(photos-labelled, photos-worn-incorrectly, the `ilc*` photos of photos-bare) as `ilc`; photos-bare's `spt` only train.
Each trains alone, and each is tested by a model of all the others. Labelled boxes of 20 px and more, in faces-4k the
face found in each picture; balanced accuracy by the three-class answer of the int8 model; 95 % intervals over groups.
Faces that share a photo, a copy or a person with the training are left out of the test. Kept models are used again.
"""

import argparse
import dataclasses
import json
import logging
import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib import dataset, detect, evaluate, images
from lib.evaluate.crossing import Predict
from lib.train import RECIPES, Amount, Plan, fit
from lib.train.drawing import chance
from lib.train.recipe import taught

from .artificial import sources, tables

ORIGINS = ("faces-4k", "photos-853", "ilc")
MIN_SIDE = 20
log = logging.getLogger("crossing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="small")
    parser.add_argument("--epochs", type=int, help="of all layers, where not the recipe's")
    parser.add_argument("--cache", type=Path, default=Path("data/artificial"), help="pictures and running models")
    wish = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    plan = RECIPES[wish.recipe]
    plan = dataclasses.replace(plan, epochs_all=wish.epochs or plan.epochs_all)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as executor:
        faces = sources.prepared(wish.data, cache=wish.cache, executor=executor)
        parts, teachers = divided(faces)
        known = evaluate.cross(parts, _Train(teachers, plan, wish.cache, executor))
    told = {"how": " ".join(__doc__.split("\n\n")[2].split()), "plan": dataclasses.asdict(plan)}
    told |= {"amount": dataclasses.asdict(Amount()), "table": known.to_dict(orient="records")}
    images.write(wish.out, json.dumps(told, indent=1) + "\n")
    log.info("\n%s", known.to_string(index=False))


def divided(faces: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The sources that are tested, and the faces that only train; without turned copies and faces too small."""
    copies = faces["image"].map(lambda image: Path(image).name.startswith(tables.COPIES)).to_numpy(bool)
    small = (faces[["x2", "y2"]].to_numpy() - faces[["x1", "y1"]].to_numpy()).min(1) < MIN_SIDE
    rows = faces[~copies & ~small].assign(group=lambda t: t["unit"]).reset_index(drop=True)
    origin = tables.origins(rows)
    parts = {name: rows[origin == name].reset_index(drop=True) for name in ORIGINS}
    return parts, rows[~origin.isin(ORIGINS)].reset_index(drop=True)


@dataclasses.dataclass
class _Train:
    """A table of faces → a callable that answers for other faces, trained as the recipe does."""

    teachers: pd.DataFrame
    plan: Plan
    cache: Path
    executor: Executor

    def __call__(self, table: pd.DataFrame) -> Predict:
        both = pd.concat([table, self.teachers], ignore_index=True)
        judged = chance(both["group"], "validation") < tables.VALIDATION
        both = both.assign(split=np.where(judged, "validation", "train"))
        shown, crops = taught(both, Amount(), size=self.plan.largest(), cache=self.cache, executor=self.executor)
        name = "crossing-" + images.sha256((shown.to_csv(index=False) + str(self.plan)).encode())[:12]
        card = self.cache / "models" / f"{name}.json"
        if not card.is_file():
            card = fit(shown, crops, into=card.parent, name=name, plan=self.plan).paths["card"]
        classify = detect.Classifier.load(card)

        def predict(faces: pd.DataFrame) -> np.ndarray:
            seen = dataset.crops(faces, margin=classify.margin, size=classify.input_size, cache=self.cache)
            return evaluate.aligned(classify(seen), classify.classes)

        log.info("%s: trained on %d faces", name, len(shown))
        return predict


if __name__ == "__main__":
    main()
