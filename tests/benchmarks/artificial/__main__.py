"""Train the shipped recipe on artificial masks alone and measure it on real ones, beside other ways to train.

    python -m tests.benchmarks.artificial DATA --out FILE.json [--arms artificial real …] [--tests photos-853 faces-4k]

DATA holds the folders of public photos. Arms: `artificial` (masks drawn by lib.masks on bare faces, other people's bare
faces as negatives, look-alikes), `real` (the same counts of real faces), `one-blue` (the tutorials' flat blue picture),
and ablations. No arm trains on an origin that it is tested on, on a listed look-alike face, or on the faces of `dev`:
real ones that choices are judged by. FILE is written after each arm; a killed run goes on where it was. The balanced
accuracy is the scorer's: mean recall of with_mask and without_mask by the three-class answer, faces worn incorrectly
left out, that answer an error for the other two; two_class reads only which of the first two is likelier.
"""

import argparse
import dataclasses
import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import pandas as pd

from lib import images
from lib.train import Plan

from . import scoring, sources, tables
from .building import broken, build

TESTS = ("photos-853", "faces-4k")
LISTED = Path(__file__).parents[3] / "models" / "look-alikes.csv"
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
            tests = {"dev": held.assign(unit=held["unit"])}
            if not wish.dev_only:
                tests["test"] = sources.tested(test, faces, wish.data)
                tests["lookalikes"] = sources.lookalikes(listed, faces, wish.data)
            for name in wish.arms:
                _one(name, test, rows, tests, wish=wish, executor=executor, away=set(faces.loc[away, "image"]))


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=tuple(tables.ARMS), default=tuple(tables.ARMS))
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=TESTS)
    parser.add_argument("--epochs", type=int, default=7, help="of all layers, after two of the head (default 7)")
    parser.add_argument("--cache", type=Path, default=Path("data/work/artificial"), help="pictures and running models")
    parser.add_argument("--limit", type=int, help="faces an arm has at most, for a trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dev-only", action="store_true", help="measure on dev alone: the tests stay unseen")
    return parser.parse_args()


def _one(
    name: str,
    test: str,
    rows: pd.DataFrame,
    tests: dict[str, pd.DataFrame],
    *,
    wish: argparse.Namespace,
    executor: ProcessPoolExecutor,
    away: set[str],
) -> None:
    """Train and measure one arm, unless FILE has it by the same plan and counts."""
    from lib.train import fit

    began, arm = time.monotonic(), tables.ARMS[name]
    plan = Plan(epochs_head=2, epochs_all=wish.epochs, seed=wish.seed)
    counts = tables.Counts().limited(wish.limit)
    table, crops, refused = build(arm, rows, counts, cache=wish.cache, seed=wish.seed, executor=executor)
    trouble = broken(table, arm=arm, away=away, tested={test})
    if trouble:
        raise ValueError(f"{name}: training faces break a rule: {'; '.join(trouble)}")
    identity = images.sha256(
        f"{plan} {table.to_csv(index=False)} {images.sha256(crops.tobytes())} {sorted(tests)}".encode()
    )
    report = json.loads(wish.out.read_text()) if wish.out.is_file() else {}
    if report.get(test, {}).get(name, {}).get("identity") == identity:
        log.info("%s, %s: measured before", test, name)
        return
    made = time.monotonic()
    log.info("%s, %s: %d faces after %.0f s", test, name, len(table), made - began)
    model = fit(table.assign(split=table["part"]), crops, into=wish.cache / "models", name=f"{test}-{name}", plan=plan)
    trained = time.monotonic()
    told: dict[str, Any] = {"identity": identity, "arm": dataclasses.asdict(arm), "seed": wish.seed}
    told |= {"faces": scoring.counted(table), "not_drawn_on": refused}
    told |= scoring.measured(model.paths["card"], tests, cache=wish.cache)
    told["validation"] = model.card["measures"]["validation"]["as_they_are"]["balanced_accuracy"]
    told["seconds"] = {"pictures": round(made - began), "training": round(trained - made)}
    told["seconds"]["measuring"] = round(time.monotonic() - trained)
    told |= {"epochs": [plan.epochs_head, plan.epochs_all], "faces_an_epoch": int((table["part"] == "train").sum())}
    report = json.loads(wish.out.read_text()) if wish.out.is_file() else {}
    report.setdefault(test, {})[name] = told
    report["plan"] = dataclasses.asdict(plan)
    images.write(wish.out, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    log.info("%s, %s: %s", test, name, scoring.line(told))


if __name__ == "__main__":
    main()
