"""Measure a model on photos it never saw, by the scorer of record: labelled boxes, found faces, missed faces as errors.

    python tests/benchmarks/of_record.py --card models/full.json --data PHOTOS --scorer score.py [--write]

PHOTOS has images/ and annotations/ (Pascal VOC). --write puts the figures into the card as measures["photos-853"]. The
answers are the plain three-class ones; faces are those of at least 20 pixels. A face is found by the finder's own
score; average precision ranks the same answers by that score times the probability of the class, as `detect --json`
gives them. --keep FILE saves both sets of answers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lib import boxes, classes, detect, faces, images, labels


def answers(classify: detect.Classifier, rgb: np.ndarray, xyxy: np.ndarray, scores: np.ndarray) -> list[list[Any]]:
    """Rows [x1, y1, x2, y2, score, class, probability of the class] for the boxes of one photo."""
    cut = [boxes.crop(rgb, box, margin=classify.margin, size=classify.input_size) for box in xyxy]
    if not cut:
        return []
    probabilities = classify(np.stack(cut))
    rows = zip(xyxy.tolist(), scores.tolist(), probabilities.argmax(1), probabilities.max(1), strict=True)
    return [[*map(float, box), float(score), classify.classes[i], float(p)] for box, score, i, p in rows]


def ranked(found: dict[str, Any]) -> dict[str, Any]:
    """The same answers with the finder's score times the probability of the class as their score."""
    return {name: [[*row[:4], row[4] * row[6], row[5]] for row in rows] for name, rows in found.items()}


def both(card: Path, data: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers by photo on the labelled boxes, and on the faces that the card's finder finds."""
    classify = detect.Classifier.load(card)
    if data.name in {row["source"] for row in classify.card.get("data", [])}:
        raise SystemExit(f"{card.name}: {data.name} taught this model; a figure measured there would say nothing")
    find = faces.finder(**classify.card["finder"])
    table, _ = labels.read_folder(data)
    boxed, found = {}, {}
    for image, rows in table.groupby("image", sort=True):
        rgb, name = images.read(image), Path(image).name
        xyxy = rows[["x1", "y1", "x2", "y2"]].to_numpy(float)
        boxed[name] = answers(classify, rgb, xyxy, np.ones(len(xyxy)))
        seen = find(rgb)
        scores = np.ones(len(seen)) if seen.confidence is None else np.asarray(seen.confidence)
        found[name] = answers(classify, rgb, seen.xyxy.astype(float), scores)
    return boxed, found


def score(scorer: Path, content: dict[str, Any], annotations: Path, *more: str) -> dict[str, Any]:
    """What the scorer of record says of answers by photo."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({name: [row[:6] for row in rows] for name, rows in content.items()}, file)
        file.flush()
        command = [sys.executable, str(scorer), file.name, str(annotations), "--min-side", "20", *more]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def summary(boxed: dict[str, Any], found: dict[str, Any], sure: dict[str, Any]) -> dict[str, Any]:
    """The figures that the card keeps: the three that stand side by side, the third class, AP and confusion."""
    third = classes.NAMES[2]
    return {
        "min_side": 20,
        "faces": boxed["faces"],
        "labelled_boxes": [boxed["balanced_accuracy"], *boxed["balanced_accuracy_95"]],
        "found_faces": [found["balanced_accuracy"], *found["balanced_accuracy_95"]],
        "missed_is_error": [
            found["balanced_accuracy_missed_is_error"],
            *found["balanced_accuracy_missed_is_error_95"],
        ],
        "recall": boxed["recall_per_class"],
        "precision_worn_incorrectly": boxed[f"precision_{third}"],
        "map50_with_without": sure["map50_voc_with_without"],
        "face_recall": found["face_recall"],
        "confusion_labelled_boxes": boxed["confusion"],
        "how": "score.py of the field: balanced accuracy of with/without mask by the three-class answer [value, 95 % "
        "interval over photos]; faces by the card's finder and its score; mAP50 ranks by score times probability",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("card", "data", "scorer"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path)
    wish = parser.parse_args()
    boxed, found = both(wish.card, wish.data)
    if wish.keep:
        images.write(wish.keep, json.dumps({"boxed": boxed, "found": found}))
    annotations = wish.data / "annotations"
    report = summary(
        score(wish.scorer, boxed, annotations, "--mode", "classify"),
        score(wish.scorer, found, annotations),
        score(wish.scorer, ranked(found), annotations),
    )
    print(json.dumps(report, indent=1))
    if wish.write:
        card = json.loads(wish.card.read_text(encoding="utf-8"))
        card["measures"][wish.data.name] = report
        images.write(wish.card, json.dumps(card, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
