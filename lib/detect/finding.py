"""Where the faces are, as a mask detector asks: YuNet and one look together, one look alone, or one of `faces`."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, boxes, faces
from .onelook import OneLook

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["BOTH", "FINDERS", "Together", "finder"]

log = logging.getLogger(__name__)

Find = Callable[[np.ndarray], "sv.Detections"]
BOTH = "both"
ONE = "one-look"
FINDERS = (BOTH, ONE, *faces.NAMES)
# Chosen on the validation photos of one-look (242 photos, 591 faces): from 0.65 up the two together find 92.6 % of the
# faces of 20 pixels and more, and 84 % of what they find is one; YuNet alone, from 0.5 up, 90.3 % and 77 %.
MIN_SCORE = 0.65
ALONE = 0.5  # of one look as the only finder: 87.2 % and 86 % there; the detector's own 0.3 would see faces in suns
DOUBT = 0.02  # of a part: what one doubts, the other may confirm
SAME = 0.4  # IoU from which two finders mean one face
LONE = 0.9  # what a score counts that only one finder gives


class Together:
    """Two face finders as one, for one thread at a time: rgb → sv.Detections with xyxy and confidence, best first.

    Where both see a face its box is the mean of theirs and its score that of "at least one is right",
    1 − (1 − a)(1 − b); a score that only one gives counts `LONE` of it. YuNet misses faces that a mask covers and
    places their boxes short; one look misses small ones: together they find more than each, and place it better.
    """

    name = BOTH

    def __init__(self, first: Find, second: Find, *, min_score: float = MIN_SCORE, max_side: int | None = None) -> None:
        self._first, self._second = first, second
        self.min_score, self.max_side = float(min_score), max_side

    def __call__(self, rgb: np.ndarray) -> "sv.Detections":
        import supervision as sv

        xyxy, scores = _joined(_rows(self._first(rgb)), _rows(self._second(rgb)))
        good = np.flatnonzero(scores >= self.min_score)
        order = good[np.argsort(-scores[good], kind="stable")]
        return sv.Detections(xyxy=xyxy[order], confidence=scores[order]) if len(order) else sv.Detections.empty()

    def __repr__(self) -> str:
        return f"Together(min_score={self.min_score}, max_side={self.max_side})"


class _Glance:
    """One look as a face finder: its boxes and face scores, whatever it thinks of masks."""

    name, max_side = ONE, None

    def __init__(self, min_score: float | None = None) -> None:
        self.min_score = ALONE if min_score is None else min_score
        self._look = OneLook.load(ONE, min_score=self.min_score)

    def __call__(self, rgb: np.ndarray) -> "sv.Detections":
        import supervision as sv

        seen = self._look(rgb)
        if not len(seen):
            return sv.Detections.empty()
        return sv.Detections(xyxy=seen.xyxy, confidence=np.asarray(seen.data["face_score"], float))

    def __repr__(self) -> str:
        return f"OneLook(min_score={self.min_score})"


def finder(name: str = BOTH, *, min_score: float | None = None, max_side: int | None = None) -> Any:
    """Load a face finder by name: those of `faces.finder`, "one-look", or "both": YuNet and one look together.

    Where only one of the two is to be had, "both" is that one, with a word in the log. min_score: None takes the
    finder's own; max_side: of YuNet and the others, as for `faces.finder`. The result has name, min_score and
    max_side. Raises AssetMissing where the weights of a named one cannot be had, ValueError.
    """
    if name not in ("auto", *FINDERS):
        raise ValueError(f"finder: unknown name {name!r}; known are auto, {', '.join(FINDERS)}")
    if name == ONE:
        return _Glance(min_score)
    if name != BOTH:
        return faces.finder(name, min_score=min_score, max_side=max_side)
    try:
        glance = _Glance(DOUBT)
    except assets.AssetMissing as trouble:
        log.info("the one-look model is not to be had, the face finder works alone: %s", trouble)
        return faces.finder("auto", min_score=min_score, max_side=max_side)
    try:
        yunet = faces.finder("yunet", min_score=DOUBT, max_side=max_side)
    except assets.AssetMissing as trouble:
        log.info("YuNet is not to be had, one look finds the faces alone: %s", trouble)
        return _Glance(min_score)
    how = {} if min_score is None else {"min_score": min_score}
    return Together(yunet, glance, max_side=yunet.max_side, **how)


def _rows(seen: "sv.Detections") -> tuple[np.ndarray, np.ndarray]:
    scores = np.ones(len(seen)) if seen.confidence is None else np.asarray(seen.confidence, float)
    return np.asarray(seen.xyxy, float).reshape(-1, 4), np.clip(scores, 0, 1)


def _joined(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) and scores (n,) of two finders as one list: the second's, best first, each meets one of the first's.

    It is the free one that it overlaps most, from `SAME` up. What meets nobody stays.
    """
    (a, a_scores), (b, b_scores) = first, second
    near = boxes.iou(b, a) if len(a) and len(b) else np.zeros((len(b), len(a)))
    met = np.full(len(b), -1)
    for j in np.argsort(-b_scores, kind="stable") if len(a) else ():
        i = int(near[j].argmax())
        if near[j, i] >= SAME:
            met[j], near[:, i] = i, 0
    both, alone = met >= 0, np.setdiff1d(np.arange(len(a)), met)
    agreed = 1 - (1 - a_scores[met[both]]) * (1 - b_scores[both])
    xyxy = np.concatenate([(a[met[both]] + b[both]) / 2, b[~both], a[alone]])
    return xyxy, np.concatenate([agreed, LONE * b_scores[~both], LONE * a_scores[alone]])
