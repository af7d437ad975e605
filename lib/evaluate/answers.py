"""From photos and probabilities to answers that can be measured."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import batch, classes, images

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["answers_on_boxes", "detections", "worst"]

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
    named = {Path(photo).name: answers for photo, answers in rows}
    if len(named) < len(rows):
        raise ValueError("photos: two have the same file name; answers are kept by it, so measure them apart")
    return named


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
    best = np.asarray(probabilities).argmax(1)
    for row, c, p in zip(
        table[["image", "x1", "y1", "x2", "y2"]].itertuples(index=False), best, probabilities, strict=True
    ):
        image, *box = row
        answer = [*(float(v) for v in box), round(float(p[c]), 5), classes.NAMES[c]]
        result.setdefault(Path(image).name, []).append(answer)
    return result


def worst(table: "pd.DataFrame", probabilities: np.ndarray, *, count: int = 24) -> "pd.DataFrame":
    """The rows that the model gets wrong, most certain first, with columns answer, sure (0–1) and row (its place)."""
    probabilities = np.asarray(probabilities, float).reshape(-1, len(classes.NAMES))
    answer = np.array(classes.NAMES, object)[probabilities.argmax(1)]
    judged = table.reset_index(drop=True).assign(answer=answer, sure=probabilities.max(1), row=np.arange(len(table)))
    wrong = judged[judged["answer"] != judged["label"]]
    return wrong.sort_values("sure", ascending=False, kind="stable").head(count).reset_index(drop=True)
