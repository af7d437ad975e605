"""Train the shipped recipe on artificial masks alone and measure it on real ones, beside other ways to train.

    python -m tests.benchmarks.artificial DATA --out FILE.json [--arms artificial real …] [--tests photos-853 faces-4k]
        [--seeds 0 1 2]

DATA holds the folders of public photos. Arms: `artificial` (masks drawn by lib.masks on bare faces, other people's bare
faces as negatives, look-alikes), `real` (the same counts of real faces), `one-blue` (the tutorials' flat blue picture),
and ablations. No arm trains on an origin that it is tested on, on a listed look-alike face, or on the faces of `dev`:
real ones that choices are judged by. A seed decides what is drawn, which faces are taken and how the network starts.
FILE has every run and a table of the arms' means; it is written after each run, and a killed one goes on. The balanced
accuracy is the scorer's: mean recall of with_mask and without_mask by the three-class answer, faces worn incorrectly
left out, that answer an error for the other two; two_class reads only which of the first two is likelier.
"""

import argparse
import dataclasses
import itertools
import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from lib import images
from lib.train import Plan

from . import scoring, sources, tables
from .building import broken, build

TESTS = ("photos-853", "faces-4k")
WORN = 0.058  # of the faces that train the model that ships: 444 of 7,628
LISTED = Path(__file__).parents[3] / "models" / "look-alikes.csv"
HOW = (
    "mean recall of with_mask and without_mask by the three-class answer on labelled boxes, faces worn incorrectly "
    "left out (as score.py); two_class: by the likelier of the first two; 95 % intervals drawn by photo "
    "(photos-853) or by group; the int8 model, temperature and bias from validation of training's own kind; dev: real "
    "faces of photos-labelled and photos-worn-incorrectly that no arm trains on; false mask: with_mask for a "
    "listed look-alike; in the table the mean over the seeds, the lowest and highest of them, and the mean of their "
    "intervals' ends"
)
log = logging.getLogger("artificial")


def main() -> None:
    wish = _wishes()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # Fresh processes, started before TensorFlow is: a fork of its threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as executor:
        faces = sources.prepared(wish.data, cache=wish.cache, executor=executor)
        listed = sources.listed(LISTED)
        away = tables.outlay(faces, listed, wish.data)
        for test in wish.tests:
            rows = tables.pool(faces, test, away=away)
            held = tables.development(rows)
            tests = {"dev": held}
            if not wish.dev_only:
                tests["test"] = sources.tested(test, faces)
                tests["lookalikes"] = sources.lookalikes(listed, faces, wish.data)
            for seed, name in itertools.product(wish.seeds, wish.arms):
                how: dict[str, Any] = {"wish": wish, "executor": executor, "away": set(faces.loc[away, "image"])}
                _one(name, test, rows, tests=tests, seed=seed, **how)


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=tuple(tables.ARMS), default=tuple(tables.ARMS))
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=TESTS)
    parser.add_argument("--epochs", type=int, default=7, help="of all layers, after two of the head (default 7)")
    parser.add_argument("--cache", type=Path, default=Path("data/artificial"), help="pictures and running models")
    parser.add_argument("--limit", type=int, help="faces an arm has at most, for a trial")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--dev-only", action="store_true", help="measure on dev alone: the tests stay unseen")
    return parser.parse_args()


def _one(
    name: str,
    test: str,
    rows: pd.DataFrame,
    *,
    tests: dict[str, pd.DataFrame],
    seed: int,
    wish: argparse.Namespace,
    executor: ProcessPoolExecutor,
    away: set[str],
) -> None:
    """Train and measure one arm by one seed, unless FILE has it by the same plan and the same faces."""
    began, arm = time.monotonic(), tables.ARMS[name]
    plan = Plan(epochs_head=2, epochs_all=wish.epochs, seed=seed, worn=WORN)
    counts = tables.Counts().limited(wish.limit)
    table, crops, refused = build(arm, rows, counts, cache=wish.cache, seed=seed, executor=executor)
    trouble = broken(table, arm=arm, away=away, tested={test})
    if trouble:
        raise ValueError(f"{name}: training faces break a rule: {'; '.join(trouble)}")
    content = f"{plan} {table.to_csv(index=False)} {images.sha256(crops.tobytes())} {sorted(tests)}"
    identity, seconds = images.sha256(content.encode()), {"pictures": round(time.monotonic() - began)}
    if identity in {run["identity"] for run in _report(wish.out).get(test, {}).get(name, [])}:
        log.info("%s, %s, seed %d: measured before", test, name, seed)
        return
    log.info("%s, %s, seed %d: %d faces after %d s", test, name, seed, len(table), seconds["pictures"])
    told: dict[str, Any] = {"identity": identity, "arm": dataclasses.asdict(arm), "seed": seed}
    told |= {"epochs": [plan.epochs_head, plan.epochs_all], "faces_an_epoch": int((table["part"] == "train").sum())}
    told |= {"faces": scoring.counted(table), "not_drawn_on": refused, "seconds": seconds}
    told |= _figures(f"{test}-{name}-{seed}", table, crops, tests=tests, plan=plan, cache=wish.cache, seconds=seconds)
    report = _report(wish.out)
    others = [run for run in report.get(test, {}).get(name, []) if run["seed"] != seed]
    runs = sorted([*others, told], key=lambda run: run["seed"])
    report |= {"how": HOW, "plan": dataclasses.asdict(plan), test: report.get(test, {}) | {name: runs}}
    report["table"] = scoring.table(report)
    images.write(wish.out, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    log.info("%s, %s, seed %d: %s", test, name, seed, scoring.line(told))


def _report(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _figures(
    name: str,
    table: pd.DataFrame,
    crops: np.ndarray,
    *,
    tests: dict[str, pd.DataFrame],
    plan: Plan,
    cache: Path,
    seconds: dict[str, int],
) -> dict[str, Any]:
    """Train, and measure on every test; the time of both goes into seconds."""
    from lib.train import fit

    began = time.monotonic()
    model = fit(table.assign(split=table["part"]), crops, into=cache / "models", name=name, plan=plan)
    seconds["training"] = round(time.monotonic() - began)
    told = scoring.measured(model.paths["card"], tests, cache=cache)
    seconds["measuring"] = round(time.monotonic() - began) - seconds["training"]
    return told | {"validation": model.card["measures"]["validation"]["as_they_are"]}


if __name__ == "__main__":
    main()
