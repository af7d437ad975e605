"""From photos and probabilities to answers that can be measured."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, classes, images
from .detection import file_names

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["aligned", "answers_on_boxes", "detections", "told", "worst"]

log = logging.getLogger(__name__)
THRESHOLD = 0.02  # of the answers kept: average precision needs the doubtful ones too


def detections(
    photos: Iterable[str | Path],
    detector: Any,
    *,
    threshold: float = THRESHOLD,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> dict[str, list[list[Any]]]:
    """What a detector answers on photos: {"file name": [[x1, y1, x2, y2, score, "class"], …]}, as `detect --json`.

    detector: a `MaskDetector`, or any callable rgb -> sv.Detections with class_name. Boxes are in pixels of the photo
    as stored. A photo that cannot be read has no entry, and the log says so.
    """
    photos = [str(photo) for photo in photos]
    rows, skipped = batch.run(lambda photo: (photo, _answers(photo, detector, threshold)), photos, progress=progress)
    for trouble in skipped:
        log.warning("detections: %s is left out: %s", trouble["item"], trouble["reason"])
    names = dict(zip(photos, file_names(photos), strict=True))
    return {names[photo]: answers for photo, answers in rows}


def _answers(photo: str, detector: Any, threshold: float) -> list[list[Any]]:
    rgb = images.read(photo)
    if hasattr(detector, "answers"):
        return detector.answers(rgb, threshold=threshold)
    found = detector(rgb)
    scores = np.ones(len(found)) if found.confidence is None else found.confidence
    names = found.data.get("class_name", []) if len(found) else []
    return [
        [*(round(float(v), 2) for v in box), round(float(score), 5), str(name)]
        for box, score, name in zip(found.xyxy, scores, names, strict=True)
        if score >= threshold
    ]


def answers_on_boxes(table: "pd.DataFrame", probabilities: np.ndarray) -> dict[str, list[list[Any]]]:
    """Probabilities (n, 3) of a table's faces as answers on its own boxes, by file name, for `score(on_boxes=True)`."""
    result: dict[str, list[list[Any]]] = {}
    best, sure = np.asarray(probabilities).argmax(1), np.asarray(probabilities).max(1)
    names = file_names(table["image"])
    for name, box, c, p in zip(names, table[["x1", "y1", "x2", "y2"]].to_numpy(float), best, sure, strict=True):
        result.setdefault(name, []).append([*box.tolist(), round(float(p), 5), classes.NAMES[c]])
    return result


def aligned(probabilities: np.ndarray, known: Sequence[str]) -> np.ndarray:
    """Probabilities (n, k) of a network's own classes as (n, 3) in the order of `classes.NAMES`, rows adding up to 1.

    A class that the network does not know gets 0; one that is none of the three (not_a_face) is left out.
    """
    result = np.zeros((len(probabilities), len(classes.NAMES)))
    for c, name in enumerate(classes.NAMES):
        if name in known:
            result[:, c] = probabilities[:, list(known).index(name)]
    return result / np.maximum(result.sum(1, keepdims=True), 1e-9)


def told(table: "pd.DataFrame") -> tuple["pd.DataFrame", str]:
    """The faces of a test that say how right a model is, and in words what a figure on them is.

    Those are the rows whose label a person gave, or that were made (origin other than 'auto'): an 'auto' label is the
    shipped model's answer or the promise of a query, and nobody looked at it. Where no such row is a person's, or they
    lack faces with or without a mask, all rows are given back, and the words say that a figure on them is no accuracy.
    """
    all_, known = table.reset_index(drop=True), table[table["origin"] != "auto"].reset_index(drop=True)
    agreement = "this is agreement with the shipped model, not accuracy"
    if not (known["origin"] == "manual").any():
        return all_, f"no label by a person: {agreement}"
    lacking = [name for name in classes.NAMES[:2] if (all_["label"] == name).any() and name not in set(known["label"])]
    if lacking:
        return all_, f"no {' and no '.join(lacking)} face with a label by a person: {agreement}"
    return known, "labels by people (and masks that were drawn)"


def worst(
    table: "pd.DataFrame", probabilities: np.ndarray, *, count: int = 24, wrong_only: bool = True
) -> "pd.DataFrame":
    """The rows that the model is most wrong about, with columns answer, sure (of the answer, 0–1) and row (its place).

    Sorted by the probability of the true class, lowest first; with wrong_only=False the nearly wrong ones follow.
    """
    probabilities = np.asarray(probabilities, float).reshape(-1, len(classes.NAMES))
    answer = np.array(classes.NAMES, object)[probabilities.argmax(1)]
    true = probabilities[np.arange(len(table)), [classes.index(name) for name in table["label"]]]
    judged = table.reset_index(drop=True).assign(answer=answer, sure=probabilities.max(1), row=np.arange(len(table)))
    judged = judged.iloc[np.argsort(true, kind="stable")]
    wrong = judged[judged["answer"] != judged["label"]] if wrong_only else judged
    return wrong.head(count).reset_index(drop=True)
