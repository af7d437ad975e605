"""Measure a model on photos it never saw, by the scorer of record: labelled boxes, found faces, missed faces as errors.

    python tests/benchmarks/of_record.py --card models/full.json --data PHOTOS --scorer score.py [--write]

PHOTOS has images/ and annotations/ (Pascal VOC). --write puts the figures into the card as measures["photos-853"]. The
answers are the plain three-class ones; faces are those of at least 20 pixels. A face is found where the finder's own
score reaches the limit it serves with; average precision ranks by that score times the probability of the class, as
`detect --json` gives them, from a finder's score of 0.02 up. --keep FILE saves all answers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lib import boxes, classes, detect, images, labels

DOUBT, SIDES = 0.02, (12, 20, 24)  # finder's scores and pixels of a face for average precision


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


def asked(card: Path, data: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], Any]:
    """Answers by photo on the labelled boxes, on the faces that the card's finder finds and on doubtful ones, and it.

    Raises SystemExit where the finder that the card names is not to be had: another one would make other figures.
    """
    classify = detect.Classifier.load(card)
    if data.name in {row["source"] for row in classify.card.get("data", [])}:
        raise SystemExit(f"{card.name}: {data.name} taught this model; a figure measured there would say nothing")
    find = detect.finder(**classify.card["finder"])
    if find.name != classify.card["finder"]["name"]:
        raise SystemExit(f"{card.name}: its finder is not to be had here, {find} would stand in; set MASK_ASSETS")
    finders = find, detect.finder(find.name, min_score=DOUBT, max_side=find.max_side)
    table, _ = labels.read_folder(data)
    boxed: dict[str, Any] = {}
    found: list[dict[str, Any]] = [{}, {}]
    for image, rows in table.groupby("image", sort=True):
        rgb, name = images.read(image), Path(image).name
        xyxy = rows[["x1", "y1", "x2", "y2"]].to_numpy(float)
        boxed[name] = answers(classify, rgb, xyxy, np.ones(len(xyxy)))
        for look, told in zip(finders, found, strict=True):
            seen = look(rgb)
            scores = np.ones(len(seen)) if seen.confidence is None else np.asarray(seen.confidence)
            told[name] = answers(classify, rgb, seen.xyxy.astype(float), scores)
    return boxed, found[0], found[1], find


def score(scorer: Path, content: dict[str, Any], annotations: Path, *more: str, min_side: int = 20) -> dict[str, Any]:
    """What the scorer of record says of answers by photo."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({name: [row[:6] for row in rows] for name, rows in content.items()}, file)
        file.flush()
        command = [sys.executable, str(scorer), file.name, str(annotations), "--min-side", str(min_side), *more]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def summary(boxed: dict[str, Any], found: dict[str, Any], ranks: dict[int, dict[str, Any]]) -> dict[str, Any]:
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
        "map50_with_without": ranks[20]["map50_voc_with_without"],
        **{f"map50_with_without_{n}": ranks[n]["map50_voc_with_without"] for n in (12, 24)},
        "ap50": ranks[20]["ap50_voc"],
        "face_recall": found["face_recall"],
        "confusion_labelled_boxes": boxed["confusion"],
        "how": "score.py of the field: balanced accuracy of with/without mask by the three-class answer [value, 95 % "
        "interval over photos]; faces by the card's finder and its limit; mAP50 ranks by score times probability, "
        "from a finder's score of 0.02 up, for faces of at least 20 pixels, and of 12 and 24",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("card", "data", "scorer"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path)
    wish = parser.parse_args()
    boxed, found, doubtful, find = asked(wish.card, wish.data)
    if wish.keep:
        images.write(wish.keep, json.dumps({"boxed": boxed, "found": found, "doubtful": doubtful}))
    annotations = wish.data / "annotations"
    report = summary(
        score(wish.scorer, boxed, annotations, "--mode", "classify"),
        score(wish.scorer, found, annotations, "--score-threshold", str(find.min_score)),
        {
            n: score(wish.scorer, ranked(doubtful), annotations, "--score-threshold", str(DOUBT), min_side=n)
            for n in SIDES
        },
    )
    report["finder"] = repr(find)
    print(json.dumps(report, indent=1))
    if wish.write:
        card = json.loads(wish.card.read_text(encoding="utf-8"))
        card["measures"][wish.data.name] = report
        images.write(wish.card, json.dumps(card, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
