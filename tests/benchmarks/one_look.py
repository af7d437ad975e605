"""Measure a one-look model: AP50, recall by size, milliseconds, on the validation photos or on labelled photos.

    python tests/benchmarks/one_look.py --card models/one-look.json --data SETS --cache CACHE   # validation
    python tests/benchmarks/one_look.py --card models/one-look.json --photos PHOTOS             # photos never seen

SETS and CACHE as for `python -m lib train --detector one-look`. PHOTOS has labelled photos; the test of record is only
for a model that is finished. --kind float16 takes the floats; --answers FILE keeps the answers for the scorer; --sheet
FILE draws the first photos with their boxes; --write puts the figures into the card as measures[name of PHOTOS].
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib import boxes, cells, detect, evaluate, images, labels, plots
from lib.train import onelook

KEPT = ("map50_voc", "ap50_voc", "face", "balanced_accuracy")
SIZES = (8, 12, 20, 32, 64, 128, 10_000)


def photos(options: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, Any], dict[str, np.ndarray]]:
    """The labelled faces, what reads each photo, and the faces in it of which nothing is known."""
    if options.photos:
        table = labels.read_folder(options.photos)[0]
        names = dict(zip(table["image"], evaluate.photo_names(table["image"]), strict=True))
        return table, {n: (lambda p=p: images.read(p)) for p, n in names.items()}, {}
    album = onelook.album(options.data, cache=options.cache)
    table = onelook.truth(album)
    place = {name: i for i, name in enumerate(album.names)}
    names = dict(zip(table["image"], evaluate.photo_names(table["image"]), strict=True))
    unknown = {n: album.boxes[place[p]][album.labels[place[p]] == onelook.IGNORED] for p, n in names.items()}
    return table, {n: (lambda i=place[p]: album.rgb(i)) for p, n in names.items()}, unknown


def recalls(table: pd.DataFrame, answers: dict[str, Any], *, threshold: float) -> dict[str, str]:
    """Share of faces found at a face score by the size of their shorter side, as "found/all"."""
    names = np.array(evaluate.photo_names(table["image"]))
    xyxy = table[["x1", "y1", "x2", "y2"]].to_numpy(float)
    hit = np.zeros(len(table), bool)
    for name in set(names):
        rows = np.flatnonzero(names == name)
        found = np.array([r[:5] for r in answers.get(name, []) if r[4] >= threshold], float).reshape(-1, 5)
        owner = boxes.match(found[:, :4], xyxy[rows], found[:, 4])
        hit[rows[owner[owner >= 0]]] = True
    side = (xyxy[:, 2:] - xyxy[:, :2]).min(axis=1)
    result = {}
    for low, high in zip(SIZES[:-1], SIZES[1:], strict=True):
        these = (side >= low) & (side < high)
        result[f"{low}-{high}" if high < 10_000 else f"{low}+"] = f"{int(hit[these].sum())}/{int(these.sum())}"
    return result


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one model."""
    how = {"kind": options.kind, "threads": options.threads, "tiles": options.tiles}
    detector = detect.OneLook.load(options.card, min_score=0.02, **how)
    table, read, unknown = photos(options)
    answers, spent, shown, parts = {}, [], [], []
    for name, load in read.items():
        rgb = load()
        began = time.perf_counter()
        found, times = detector.timed(rgb)
        parts.append(times)
        spent.append(time.perf_counter() - began)
        rows = detector.rows(found)
        if len(unknown.get(name, ())):
            beside = boxes.iou(np.array([r[:4] for r in rows], float), unknown[name]).max(axis=1, initial=0)
            rows = [r for r, b in zip(rows, beside, strict=True) if b < 0.5]
        answers[name] = rows
        if options.sheet and len(shown) < 24:
            shown.append(
                plots.annotate(rgb, found[np.asarray(found.data["face_score"]) >= 0.3] if len(found) else found)
            )
    report: dict[str, Any] = {"photos": len(read), "faces": len(table), "ms": round(1e3 * float(np.median(spent)), 2)}
    report["ms_by_stage"] = pd.DataFrame(parts).median().mul(1e3).round(3).to_dict()
    for side in (12, 20, 24):
        said = evaluate.score(table, answers, min_side=side, threshold=0.3)
        report[f">={side}"] = {k: v for k, v in said.items() if k.startswith(KEPT)}
    report["recall_by_size"] = recalls(table, answers, threshold=0.3)
    if options.write:
        _write(options, report)
    if options.answers:
        options.answers.write_text(json.dumps(answers))
    if options.sheet:
        fit = [cells.letterbox(rgb, (416, 416))[0] for rgb in shown]
        rows = [np.concatenate(fit[i : i + 6], axis=1) for i in range(0, len(fit) // 6 * 6, 6)]
        images.write(options.sheet, np.concatenate(rows))
    return report


def _write(options: argparse.Namespace, report: dict[str, Any]) -> None:
    """Put the figures on faces of 20 pixels and more, and average precision from 12 and 24 on, into the card."""
    card = json.loads(options.card.read_text(encoding="utf-8"))
    main = report[">=20"]
    figures = {"min_side": 20, "faces": main["faces_total"], "found_faces": _interval(main, "balanced_accuracy")}
    figures |= {"missed_is_error": _interval(main, "balanced_accuracy_missed_is_error")}
    figures |= {"face_recall": main["face_recall"], "ap50": main["ap50_voc"]}
    figures |= {"map50_with_without": main["map50_voc_with_without"]}
    figures |= {f"map50_with_without_{n}": report[f">={n}"]["map50_voc_with_without"] for n in (12, 24)}
    figures["how"] = "a face counts from a score (face × class) of 0.3; plain three-class answer; intervals over photos"
    card["measures"][options.photos.name] = figures
    images.write(options.card, json.dumps(card, indent=1, ensure_ascii=False) + "\n")


def _interval(figures: dict[str, Any], name: str) -> list[float]:
    return [figures[name], *figures[f"{name}_95"]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--kind", default="tflite", choices=["tflite", "float16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tiles", type=int, default=1, help="look at large photos in up to so many tiles a side too")
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--write", action="store_true")
    told = parser.parse_args()
    if not told.photos and not (told.data and told.cache):
        parser.error("name --photos, or --data with --cache")
    print(json.dumps(run(told), indent=1))
