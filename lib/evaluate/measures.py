"""The figures: recalls, confusion, average precision, calibration, all with intervals over photos or groups."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import boxes, classes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSED", "average_precision", "ece", "measure", "pair", "reliability", "score", "slices", "three"]

MISSED = "missed"  # the answer for a face that nothing was found on
COLUMNS = (*classes.NAMES, classes.UNSURE, MISSED)  # of the confusion matrix
MIN_IOU = 0.5
Answers = Mapping[str, Sequence[Sequence[Any]]]  # {"file": [[x1, y1, x2, y2, score, "class"], …]}


def measure(
    labels: Sequence[str],
    answers: Sequence[str],
    *,
    units: Sequence[Any] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that labels and answers (n,) tell, as plain numbers.

    labels: class names; answers: class names, "unsure" or "missed". balanced_accuracy is the mean recall of with_mask
    and without_mask over the faces that were found (…_missed_is_error: over all faces); an answer of the third class
    or "unsure" is an error for both. units (n,): what is drawn anew for the 95 % bootstrap intervals, such as groups
    or photos; a face each if None. A figure without faces to measure it on is None.
    """
    members = np.arange(len(labels)) if units is None else np.unique([str(u) for u in units], return_inverse=True)[1]
    tables = _tables(labels, answers, members, int(members.max(initial=-1)) + 1)
    return _figures(tables, resamples=resamples, seed=seed)


def _tables(labels: Sequence[str], answers: Sequence[str], members: np.ndarray, units: int) -> np.ndarray:
    """Confusion tables (units, 3, 5) of labels and answers; an answer that is no word of ours counts as unsure."""
    true = np.array([classes.index(name) for name in labels], int)
    said = np.array([COLUMNS.index(a if a in COLUMNS else classes.UNSURE) for a in answers], int)
    tables = np.zeros((units, len(classes.NAMES), len(COLUMNS)), int)
    np.add.at(tables, (np.asarray(members, int), true, said), 1)
    return tables


def _figures(tables: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Figures of confusion tables (units, 3, 5)."""
    total = tables.sum(0)
    faces, found = total.sum(1), total[:, :-1].sum(1)
    right = np.diagonal(total)[: len(classes.NAMES)]
    recall = [_ratio(a, b) for a, b in zip(right, found, strict=True)]
    recall_all = [_ratio(a, b) for a, b in zip(right, faces, strict=True)]
    said = total.sum(0)
    precision = [_ratio(right[c], said[c]) for c in range(3)]
    two = tables[:, [0, 1], [0, 1]]
    interval = lambda whole: _interval(two, whole, resamples=resamples, seed=seed)  # noqa: E731
    return {
        "units": len(tables),
        "faces": dict(zip(classes.NAMES, faces.tolist(), strict=True)),
        "faces_total": int(faces.sum()),
        "matched_faces": int(found.sum()),
        "accuracy": _ratio(right.sum(), found.sum()),
        "recall_per_class": dict(zip(classes.NAMES, recall, strict=True)),
        "balanced_accuracy": _mean(recall[:2]),
        "balanced_accuracy_95": interval(tables[:, :2, :-1].sum(2)),
        "balanced_accuracy_missed_is_error": _mean(recall_all[:2]),
        "balanced_accuracy_missed_is_error_95": interval(tables[:, :2].sum(2)),
        "macro_recall_three_classes": _mean(recall),
        "macro_recall_three_classes_missed_is_error": _mean(recall_all),
        "precision_mask_worn_incorrectly": precision[2],
        "answers_mask_worn_incorrectly": int(said[2]),
        "per_class": {
            name: {
                "precision": precision[c],
                "recall": recall[c],
                "f1": _f1(precision[c], recall[c]),
                "faces": int(faces[c]),
            }
            for c, name in enumerate(classes.NAMES)
        },
        "confusion": {"columns": list(COLUMNS)} | {n: total[c].tolist() for c, n in enumerate(classes.NAMES)},
    }


def _ratio(part: Any, whole: Any) -> float | None:
    return round(float(part) / float(whole), 4) if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return round(float(np.mean(known)), 4) if known and len(known) == len(values) else None


def _f1(precision: float | None, recall: float | None) -> float | None:
    if not precision or not recall:
        return None if precision is None or recall is None else 0.0
    return round(2 * precision * recall / (precision + recall), 4)


def _interval(right: np.ndarray, whole: np.ndarray, *, resamples: int, seed: int) -> list[float] | None:
    """95 % bootstrap interval of the mean recall; right and whole (units, classes) are counts of each unit.

    A test without an error has no spread to draw from; its lower end is then the exact one (Clopper and Pearson 1934)
    for as many units as each class has, so that ten faces without an error are not taken for a proof.
    """
    units = len(whole)
    if not units:
        return None
    draws = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (draws @ right / (draws @ whole)).mean(axis=1)
    if not np.isfinite(means).any():
        return None
    low, high = np.nanpercentile(means, [2.5, 97.5])
    if low == high == 1:
        low = float(np.mean(0.025 ** (1 / (whole > 0).sum(0))))
    return [round(float(low), 4), round(float(high), 4)]


# --- detection ------------------------------------------------------------------------------------------------------


def pair(
    truth: "pd.DataFrame", answers: Answers, *, min_side: float = 0, threshold: float = 0.5, on_boxes: bool = False
) -> tuple["pd.DataFrame", dict[str, int]]:
    """Give every true face the answer that was found on it: truth with columns answer and score, and what was wrong.

    Photos are paired by file name without extension (by folder and name where names repeat). By falling score, each
    answer of at least `threshold` takes the free face that it covers best, at IoU ≥ 0.5; a face without one is
    "missed". Faces with a side below min_side are left out, and an answer on one is neither right nor wrong. on_boxes:
    the answers were made on the labelled boxes, so each goes to its box whatever its score. Second value: the counts
    of false_detections and dropped_detections.
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
    """What photos go by: the file's name without extension, with its folder's before it where names repeat.

    Raises ValueError where that is not enough either.
    """
    known = [Path(p) for p in paths]
    for depth in (1, 2):
        names = ["/".join(p.with_suffix("").parts[-depth:]) for p in known]
        if len(set(names)) == len(set(known)):
            return names
    raise ValueError("photos: two have the same folder and file name; answers go by them, so measure them apart")


def _by_photo(truth: "pd.DataFrame", answers: Answers) -> dict[str, Sequence[Sequence[Any]]]:
    depth = 1 + max((name.count("/") for name in photo_names(truth["image"])), default=0)
    return {"/".join(Path(name).with_suffix("").parts[-depth:]): rows for name, rows in answers.items()}


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
    tables = _tables(faces["label"], faces["answer"], members, len(photos))
    report: dict[str, Any] = {
        "photos": len(photos),
        "photos_without_entry": len(set(photos) - set(_by_photo(truth, answers))),
    }
    report |= {"min_side": min_side} | _figures(tables)
    if on_boxes:
        return report
    found, all_ = report["matched_faces"], report["faces_total"]
    per_class = np.array([report["confusion"][name] for name in classes.NAMES])
    report |= {"score_threshold": threshold, "face_recall": _ratio(found, all_)} | wrong
    report["face_recall_per_class"] = {
        name: _ratio(row[:-1].sum(), row.sum()) for name, row in zip(classes.NAMES, per_class, strict=True)
    }
    report["face_precision"] = _ratio(found, found + wrong["false_detections"])
    return report | _precisions(truth, answers, min_side=min_side)


def _precisions(truth: "pd.DataFrame", answers: Answers, *, min_side: float) -> dict[str, Any]:
    """AP50 of each class, VOC and COCO, and their means over two classes and three."""
    by_photo = _by_photo(truth, answers)
    ranked: list[list[tuple[float, bool]]] = [[] for _ in classes.NAMES]
    faces_of = np.zeros(len(classes.NAMES), int)
    for stem, _, xyxy, label in _photos(truth):
        large = _large(xyxy, min_side)
        found, scores, names = _unpacked(by_photo.get(stem, ()))
        for c, name in enumerate(classes.NAMES):
            own = (label == name) & large
            faces_of[c] += own.sum()
            owner = _owners(found, scores, xyxy, may_win=own, ignored=~large, counts=names == name)
            ranked[c] += [(s, o >= 0) for s, o in zip(scores[owner >= -1], owner[owner >= -1], strict=True)]
    both = [average_precision(rows, int(n)) for rows, n in zip(ranked, faces_of, strict=True)]
    report: dict[str, Any] = {}
    for kind, values in zip(("voc", "coco101"), zip(*both, strict=True), strict=True):
        rounded = [None if v is None else round(v, 4) for v in values]
        report[f"ap50_{kind}"] = dict(zip(classes.NAMES, rounded, strict=True))
        report[f"map50_{kind}_with_without"] = _mean(values[:2])
        report[f"map50_{kind}_three_classes"] = _mean(values)
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


# --- calibration and slices -----------------------------------------------------------------------------------------


def reliability(labels: Sequence[str], probabilities: np.ndarray, *, bins: int = 10) -> "pd.DataFrame":
    """How often answers are right that say they are so sure: rows low, high, faces, confidence, accuracy.

    probabilities (n, 3) in the order of `classes.NAMES`; the confidence is the highest of a row. Empty bins stay out.
    """
    import pandas as pd

    probabilities = np.asarray(probabilities, float).reshape(-1, len(classes.NAMES))
    true = np.array([classes.index(name) for name in labels], int)
    sure, right = probabilities.max(1), probabilities.argmax(1) == true
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    rows = [
        (edges[b], edges[b + 1], int((place == b).sum()), sure[place == b].mean(), right[place == b].mean())
        for b in range(bins)
        if (place == b).any()
    ]
    return pd.DataFrame(rows, columns=["low", "high", "faces", "confidence", "accuracy"])


def ece(labels: Sequence[str], probabilities: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error, 0–1: the mean gap of confidence and accuracy over bins (Guo 2017)."""
    table = reliability(labels, probabilities, bins=bins)
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float((gap * table["faces"]).sum() / max(table["faces"].sum(), 1))


def slices(
    faces: "pd.DataFrame", by: Mapping[str, Any], *, units: str | None = "group", seed: int = 0
) -> "pd.DataFrame":
    """The figures of parts of a table that has label and answer: slice, value, faces, accuracy, balanced, low, high.

    by: a name of the slice to a column of the table or values (n,), text or bands. Missed faces count as errors. A part
    without one of the two classes has an accuracy but no balanced one.
    """
    import pandas as pd

    rows = []
    for name, values in by.items():
        column = faces[values] if isinstance(values, str) else pd.Series(values, index=faces.index)
        for value, part in faces.groupby(column, sort=True, observed=True):
            groups = part[units] if units in part else None
            figures = measure(part["label"].tolist(), part["answer"].tolist(), units=groups, seed=seed, resamples=500)
            key = "balanced_accuracy_missed_is_error"
            low, high = figures[f"{key}_95"] or (None, None)
            right = float((part["label"] == part["answer"]).mean())
            rows.append((name, str(value), len(part), right, figures[key], low, high))
    return pd.DataFrame(rows, columns=["slice", "value", "faces", "accuracy", "balanced_accuracy", "low", "high"])
