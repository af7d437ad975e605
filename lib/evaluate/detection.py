"""How well faces are found and named on photos: pairing, average precision, the three figures side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import boxes, classes
from .measures import MISSED, count, figures, mean, ratio

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ranked", "average_precision", "file_names", "pair", "photo_names", "ranked", "score", "three"]

MIN_IOU = 0.5
Answers = Mapping[str, Sequence[Sequence[Any]]]  # {"file": [[x1, y1, x2, y2, score, "class"], …]}


def pair(
    truth: "pd.DataFrame", answers: Answers, *, min_side: float = 0, threshold: float = 0.5, on_boxes: bool = False
) -> tuple["pd.DataFrame", dict[str, int]]:
    """Give every true face the answer that was found on it: truth with columns answer and score, and what was wrong.

    Photos are paired by `photo_names`. By falling score, each answer of at least `threshold` takes the free face that
    it covers best, at IoU ≥ 0.5; a face without one is "missed". Faces with a side below min_side are left out, and an
    answer on one is neither right nor wrong. on_boxes: the answers were made on the labelled boxes, so each goes to its
    box whatever its score. Second value: the counts of false_detections and dropped_detections.
    """
    by_photo = _by_photo(truth, answers)
    wrong = {"false_detections": 0, "dropped_detections": 0}
    answer, sure = np.full(len(truth), MISSED, object), np.full(len(truth), np.nan)
    order, scored = [], np.zeros(len(truth), bool)
    for stem, rows, xyxy, _ in _photos(truth):
        found, scores, names = _unpacked(by_photo.get(stem, ()))
        large = _large(xyxy, min_side)
        if on_boxes:
            owner = boxes.match(found, xyxy, boxes.iou(found, xyxy).max(1, initial=0), min_iou=MIN_IOU)
        else:
            owner = _owners(found, scores, xyxy, may_win=large, ignored=~large, counts=scores >= threshold)
        wrong["false_detections"] += int((owner == -1).sum())
        wrong["dropped_detections"] += int((owner == -2).sum())
        won = owner >= 0
        answer[rows[owner[won]]], sure[rows[owner[won]]] = names[won], scores[won]
        scored[rows] = large
        order.append(rows)
    kept = [row for row in (np.concatenate(order) if order else []) if scored[row]]
    return truth.iloc[kept].assign(answer=answer[kept], score=sure[kept]).reset_index(drop=True), wrong


def photo_names(paths: Sequence[Any]) -> list[str]:
    """What photos go by: the file's name without extension, with as many folders before it as tell all of them apart.

    Where folders alone do not (1.jpg beside 1.png), the extension stays.
    """
    known = [_parts(p) for p in paths]
    depth, whole = _depth(known)
    return [_cut(p, depth, whole=whole) for p in known]


def file_names(paths: Sequence[Any]) -> list[str]:
    """`photo_names` with the extension: what answers about photos go by."""
    known = [_parts(p) for p in paths]
    depth, _ = _depth(known)
    return [_cut(p, depth, whole=True) for p in known]


def _parts(path: Any) -> tuple[str, ...]:
    return Path(path).absolute().parts[1:]


def _cut(parts: Sequence[str], depth: int, *, whole: bool) -> str:
    """The last `depth` parts of a path as a name; whole: with the extension."""
    name = "/".join(parts[-depth:])
    return name if whole else str(PurePosixPath(name).with_suffix(""))


def _depth(known: Sequence[tuple[str, ...]]) -> tuple[int, bool]:
    """How many parts of each path, and whether with the extension, tell different photos apart."""
    different = set(known)
    for whole in (False, True):
        for depth in range(1, max(map(len, different), default=0) + 1):
            if len({_cut(p, depth, whole=whole) for p in different}) == len(different):
                return depth, whole
    return 1, False


def _by_photo(truth: "pd.DataFrame", answers: Answers) -> dict[str, Sequence[Sequence[Any]]]:
    depth, whole = _depth([_parts(p) for p in truth["image"]])
    return {_cut(Path(name).parts, depth, whole=whole): rows for name, rows in answers.items()}


def _photos(truth: "pd.DataFrame") -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Each photo's name, the places of its faces in the table, their boxes and labels; sorted by name."""
    xyxy, labels = truth[["x1", "y1", "x2", "y2"]].to_numpy(float), truth["label"].to_numpy(object)
    places: dict[str, list[int]] = {}
    for row, name in enumerate(photo_names(truth["image"])):
        places.setdefault(name, []).append(row)
    return [
        (name, np.array(rows), xyxy[rows], labels[rows])
        for name, rows in sorted(places.items(), key=lambda item: item[0] + ".xml")
    ]


def _unpacked(rows: Sequence[Sequence[Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = []
    for row in rows:
        try:
            names.append(classes.canonical(row[5]))
        except ValueError:
            names.append(classes.UNSURE)
    xyxy = np.array([row[:4] for row in rows], float).reshape(-1, 4)
    return xyxy, np.array([row[4] for row in rows], float), np.array(names, object)


def _large(xyxy: np.ndarray, min_side: float) -> np.ndarray:
    return (xyxy[:, 2:] - xyxy[:, :2]).min(1, initial=np.inf) >= min_side


def _owners(
    found: np.ndarray,
    scores: np.ndarray,
    xyxy: np.ndarray,
    *,
    may_win: np.ndarray,
    ignored: np.ndarray,
    counts: np.ndarray,
) -> np.ndarray:
    """The face of each answer (n,): its index, −1 for a false one, −2 on an ignored face, −3 where it does not count.

    may_win, ignored (m,): which faces may be won, and on which an answer is neither right nor wrong; counts (n,).
    """
    owner, faces = np.full(len(found), -3), np.flatnonzero(may_win)
    own = boxes.match(found[counts], xyxy[faces], scores[counts], min_iou=MIN_IOU)
    beside = (boxes.iou(found[counts], xyxy[ignored]) >= MIN_IOU).any(axis=1)
    result = np.where(beside, -2, -1)
    result[own >= 0] = faces[own[own >= 0]]
    owner[counts] = result
    return owner


def score(
    truth: "pd.DataFrame", answers: Answers, *, min_side: float = 0, threshold: float = 0.5, on_boxes: bool = False
) -> dict[str, Any]:
    """The report of one set of photos: what `measure` tells, with photos as units, and how well faces are found.

    The same figures, by the same rules, as the field's scorer of record: face recall and precision and the figures of
    `measure` over answers of at least `threshold`; AP50 of each class over all answers, VOC (all points) and COCO (101
    points). on_boxes as for `pair`; then nothing is said of finding. Answers are {"file": [[x1, y1, x2, y2, score,
    "class"], …]} in pixels of the photo as stored.
    """
    faces, wrong = pair(truth, answers, min_side=min_side, threshold=threshold, on_boxes=on_boxes)
    photos = [name for name, *_ in _photos(truth)]
    named = dict(zip(truth["image"], photo_names(truth["image"]), strict=True))
    place = {name: i for i, name in enumerate(photos)}  # a photo without a face of that size may be drawn too
    members = np.array([place[named[image]] for image in faces["image"]], int)
    tables = count(faces["label"], faces["answer"], members, len(photos))
    report: dict[str, Any] = {
        "photos": len(photos),
        "photos_without_entry": len(set(photos) - set(_by_photo(truth, answers))),
    }
    report |= {"min_side": min_side} | figures(tables)
    if on_boxes:
        return report
    found, all_ = report["matched_faces"], report["faces_total"]
    per_class = np.array([report["confusion"][name] for name in classes.NAMES])
    report |= {"score_threshold": threshold, "face_recall": ratio(found, all_)} | wrong
    report["face_recall_per_class"] = {
        name: ratio(row[:-1].sum(), row.sum()) for name, row in zip(classes.NAMES, per_class, strict=True)
    }
    report["face_precision"] = ratio(found, found + wrong["false_detections"])
    return report | _precisions(truth, answers, min_side=min_side)


@dataclass(frozen=True)
class Ranked:
    """The answers of one class: scores, hits (n,) and the place of their photo (n,); the class's faces by photo."""

    scores: np.ndarray
    hits: np.ndarray
    photo: np.ndarray
    faces: np.ndarray

    @property
    def photos(self) -> int:
        return len(self.faces)


def ranked(truth: "pd.DataFrame", answers: Answers, name: str, *, min_side: float = 0) -> Ranked:
    """All answers of a class with whether they hit a face of it, at IoU ≥ 0.5; those on too small faces are left out.

    Photos are numbered in the order of their names.
    """
    by_photo, photos = _by_photo(truth, answers), _photos(truth)
    rows: list[tuple[float, bool, int]] = []
    faces = np.zeros(len(photos), int)
    for place, (stem, _, xyxy, label) in enumerate(photos):
        large = _large(xyxy, min_side)
        found, scores, names = _unpacked(by_photo.get(stem, ()))
        own = (label == name) & large
        faces[place] = own.sum()
        owner = _owners(found, scores, xyxy, may_win=own, ignored=~large, counts=names == name)
        rows += [(s, o >= 0, place) for s, o in zip(scores[owner >= -1], owner[owner >= -1], strict=True)]
    columns = np.array(rows, float).reshape(-1, 3)
    return Ranked(columns[:, 0], columns[:, 1] > 0, columns[:, 2].astype(int), faces)


def _precisions(truth: "pd.DataFrame", answers: Answers, *, min_side: float) -> dict[str, Any]:
    """AP50 of each class, VOC and COCO, and their means over two classes and three."""
    sets = [ranked(truth, answers, name, min_side=min_side) for name in classes.NAMES]
    both = [average_precision(list(zip(s.scores, s.hits, strict=True)), int(s.faces.sum())) for s in sets]
    report: dict[str, Any] = {}
    for kind, values in zip(("voc", "coco101"), zip(*both, strict=True), strict=True):
        rounded = [None if v is None else round(v, 4) for v in values]
        report[f"ap50_{kind}"] = dict(zip(classes.NAMES, rounded, strict=True))
        report[f"map50_{kind}_with_without"] = mean(values[:2])
        report[f"map50_{kind}_three_classes"] = mean(values)
    return report


def average_precision(ranked: Sequence[tuple[float, bool]], faces: int) -> tuple[float | None, float | None]:
    """(VOC all-point, COCO 101-point) average precision of answers (score, hit) over so many true faces.

    Both take the precision that is reached at a recall or beyond; the one integrates it, the other averages it at
    101 recalls (Everingham 2010, Lin 2014). Without faces there is none.
    """
    if not faces:
        return None, None
    order = np.argsort([-s for s, _ in ranked], kind="stable")
    hits = np.array([hit for _, hit in ranked], float)[order]
    recall = np.cumsum(hits) / faces
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    voc = float((np.diff(recall, prepend=0.0) * best).sum())
    at = np.searchsorted(recall, np.linspace(0, 1, 101) - 1e-12)
    return voc, float(np.append(best, 0.0)[at].mean())


def three(
    truth: "pd.DataFrame", *, boxed: Answers | None, found: Answers | None, min_side: float = 20, threshold: float = 0.5
) -> "pd.DataFrame":
    """The three figures that stand side by side: balanced accuracy on labelled boxes, on found faces, missed = error.

    boxed: answers made on the labelled boxes; found: answers of the whole detector; either may be None. Columns:
    figure, balanced_accuracy, low, high (95 %), faces.
    """
    import pandas as pd

    rows = []
    if boxed is not None:
        report = score(truth, boxed, min_side=min_side, on_boxes=True)
        rows.append(("labelled boxes", report, "balanced_accuracy", "matched_faces"))
    if found is not None:
        report = score(truth, found, min_side=min_side, threshold=threshold)
        rows.append(("found faces", report, "balanced_accuracy", "matched_faces"))
        rows.append(("missed = error", report, "balanced_accuracy_missed_is_error", "faces_total"))
    none = [None, None]
    return pd.DataFrame(
        [(name, r[key], *(r[f"{key}_95"] or none), r[count]) for name, r, key, count in rows],
        columns=["figure", "balanced_accuracy", "low", "high", "faces"],
    )
