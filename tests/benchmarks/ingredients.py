"""What each ingredient of the recipe brings: one is changed at a time, and a source left out of training judges.

    python -m tests.benchmarks.ingredients DATA --out FILE.json [--left-out faces-4k ilc] [--epochs 8]

DATA holds the folders of public photos. Every change trains the small network (alpha 0.35) with equal epochs and the
same seed, on all faces but those of one origin; photos-853, the test of record, is never read. The faces of that origin
of 20 px and more are asked about as they are and once more shrunk to 16–112 pixels with blur and JPEG; a figure is the
mean recall of the three classes (of those that the origin has twenty faces of), and the mean of both views. The gain is
that of the recipe as it is over the change, on the same faces, with the 95 % interval of 500 draws of groups. Beside
it: the mean when only with and without are asked for, and how many of the faces worn incorrectly are called so. Models
are kept in the cache and used again.
"""

import argparse
import dataclasses
import json
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from lib import classes, dataset, detect, evaluate, images
from lib.train import RECIPES, Amount, Plan, fit
from lib.train.crops import WIDE, small_view, view, wide_size
from lib.train.drawing import chance
from lib.train.recipe import taught

from .artificial import sources, tables
from .crossing import divided

RECORD = "photos-853"
DRAWS = 500
FEW = 20  # faces of a class, fewer of which give no recall
CHANGES: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "nothing drawn": {"amount": Amount(masked=0, alike=0, parents=0.0)},
    "no look-alikes drawn": {"amount": Amount(alike=0)},
    "never shrunk": {"shrink": 0.0},
    "boxes as labelled": {"jitter": 0.0},
    "no label smoothing": {"smoothing": 0.0},
    "classes as they come": {"balance": 0.0},
    "only the head learns": {"blocks": 0},
    "tighter crop (margin 0.1)": {"margin": 0.1},
    "wider crop (margin 0.4)": {"margin": 0.4},
    "running mean of weights": {"average": 0.99},
    "sizes 64, 96 and 128 in turn": {"sizes": (64, 96, 128)},
    "128 pixels": {"size": 128},
    "alpha 1.0 (the full network)": {"alpha": 1.0, "rate_all": 2e-4},
}
log = logging.getLogger("ingredients")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--left-out", nargs="+", choices=("faces-4k", "ilc"), default=["faces-4k", "ilc"])
    parser.add_argument("--changes", nargs="+", choices=tuple(CHANGES), default=list(CHANGES), metavar="CHANGE")
    parser.add_argument("--epochs", type=int, default=8, help="of all layers, after three of the head")
    parser.add_argument("--cache", type=Path, default=Path("data/artificial"), help="pictures and models")
    wish = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    base = dataclasses.replace(RECIPES["small"], epochs_all=wish.epochs)
    told: list[dict[str, Any]] = []
    for left_out in wish.left_out:
        known: dict[str, Any] = {}
        for name in dict.fromkeys(["the recipe", *wish.changes]):
            known[name] = _answers(name, base, wish, left_out=left_out)
            told.append({"left_out": left_out, "change": name} | _figures(known[name], known["the recipe"]))
            log.info("%s", told[-1])
            written = {"how": " ".join(__doc__.split("\n\n")[2].split()), "plan": dataclasses.asdict(base)}
            images.write(wish.out, json.dumps(written | {"table": told}, indent=1) + "\n")


def _answers(name: str, base: Plan, wish: argparse.Namespace, *, left_out: str) -> pd.DataFrame:
    """The faces of the origin left out, each twice, with label, group and answer of a network that never saw it."""
    changes = dict(CHANGES[name])
    amount = changes.pop("amount", Amount())
    plan = dataclasses.replace(base, **changes)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as executor:
        parts, teachers = divided(sources.prepared(wish.data, cache=wish.cache, executor=executor))
        test = parts.pop(left_out)
        known = pd.concat([*(t for origin, t in parts.items() if origin != RECORD), teachers], ignore_index=True)
        apart = ~(test["group"].isin(set(known["group"])) | test["image"].isin(set(known["image"])))
        test = test[apart].reset_index(drop=True)
        judged = chance(known["group"], "validation") < tables.VALIDATION
        known = known.assign(split=np.where(judged, "validation", "train"))
        shown, crops = taught(known, amount, size=plan.largest(), cache=wish.cache, executor=executor)
    key = images.sha256((shown.to_csv(index=False) + str(plan)).encode())[:12]
    card = wish.cache / "models" / f"ingredients-{key}.json"
    if not card.is_file():
        card = fit(shown, crops, into=card.parent, name=card.stem, plan=plan).paths["card"]
    classify = detect.Classifier.load(card)
    wide = dataset.crops(test, margin=WIDE, size=wide_size(plan.size), cache=wish.cache)
    how: dict[str, Any] = {"size": plan.size, "margin": plan.margin}
    views = view(wide, **how), small_view(wide, **how)
    names = np.array(classes.NAMES)
    told = [evaluate.aligned(classify(seen), classify.classes) for seen in views]
    both = [
        test[["label", "group"]].assign(answer=names[p.argmax(axis=1)], of_two=names[p[:, :2].argmax(axis=1)])
        for p in told
    ]
    return pd.concat(both, keys=["as it is", "shrunk"], names=["view"]).reset_index("view").reset_index(drop=True)


def _figures(said: pd.DataFrame, recipe: pd.DataFrame) -> dict[str, Any]:
    """Balanced accuracy of both views and their mean, and what the recipe has over it, with an interval."""
    groups = sorted(set(said["group"]))
    rng = np.random.default_rng(0)
    draws = [None, *(rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups))) for _ in range(DRAWS))]
    scores = {name: _balanced(said, groups, draws, view=name) for name in ("as it is", "shrunk")}
    mean, other = _mean(said, groups, draws), _mean(recipe, groups, draws)
    low, high = np.quantile((other - mean)[1:], [0.025, 0.975])
    views = {name.replace(" ", "_"): round(float(values[0]), 4) for name, values in scores.items()}
    gain = {
        "recipe_gains": round(float(other[0] - mean[0]), 4),
        "gain_95": [round(float(low), 4), round(float(high), 4)],
    }
    two = [(rows["of_two"] == label).mean() for label, rows in said.groupby("label") if label in classes.NAMES[:2]]
    third = said[said["label"] == classes.NAMES[2]]
    more: dict[str, Any] = {"of_two_classes": round(float(np.mean(two)), 4)}
    more |= {"third_class_recall": round(float((third["answer"] == third["label"]).mean()), 4) if len(third) else None}
    return {"faces": len(said) // 2} | views | {"mean": round(float(mean[0]), 4)} | gain | more


def _mean(said: pd.DataFrame, groups: list[str], draws: list[Any]) -> np.ndarray:
    return (_balanced(said, groups, draws, view="as it is") + _balanced(said, groups, draws, view="shrunk")) / 2


def _balanced(said: pd.DataFrame, groups: list[str], draws: list[Any], *, view: str) -> np.ndarray:
    """Mean recall of the classes for each draw of groups; the first draw is all of them."""
    rows = said[said["view"] == view]
    recalls = []
    for label in (name for name in classes.NAMES if rows["label"].eq(name).sum() >= FEW):
        of = rows[rows["label"] == label]
        right = of["answer"].eq(label).groupby(of["group"]).agg(["sum", "count"]).reindex(groups, fill_value=0)
        weights = np.array([np.ones(len(groups)) if d is None else d for d in draws])
        recalls.append((weights @ right["sum"].to_numpy()) / np.maximum(weights @ right["count"].to_numpy(), 1))
    return np.asarray(np.mean(recalls, axis=0))


if __name__ == "__main__":
    main()
