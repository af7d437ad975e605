"""The figures: recalls, confusion, average precision, calibration, all with intervals over photos or groups."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSED", "count", "ece", "figures", "mean", "measure", "ratio", "reliability", "slices"]

MISSED = "missed"  # the answer for a face that nothing was found on
COLUMNS = (*classes.NAMES, classes.UNSURE, MISSED)  # of the confusion matrix


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
    tables = count(labels, answers, members, int(members.max(initial=-1)) + 1)
    return figures(tables, resamples=resamples, seed=seed)


def count(labels: Sequence[str], answers: Sequence[str], members: np.ndarray, units: int) -> np.ndarray:
    """Confusion tables (units, 3, 5) of labels and answers; an answer that is no word of ours counts as unsure."""
    true = np.array([classes.index(name) for name in labels], int)
    said = np.array([COLUMNS.index(a if a in COLUMNS else classes.UNSURE) for a in answers], int)
    tables = np.zeros((units, len(classes.NAMES), len(COLUMNS)), int)
    np.add.at(tables, (np.asarray(members, int), true, said), 1)
    return tables


def figures(tables: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Figures of confusion tables (units, 3, 5)."""
    total = tables.sum(0)
    faces, found = total.sum(1), total[:, :-1].sum(1)
    right = np.diagonal(total)[: len(classes.NAMES)]
    recall = [ratio(a, b) for a, b in zip(right, found, strict=True)]
    recall_all = [ratio(a, b) for a, b in zip(right, faces, strict=True)]
    said = total.sum(0)
    precision = [ratio(right[c], said[c]) for c in range(3)]
    two = tables[:, [0, 1], [0, 1]]
    interval = lambda whole: _interval(two, whole, resamples=resamples, seed=seed)  # noqa: E731
    return {
        "units": len(tables),
        "faces": dict(zip(classes.NAMES, faces.tolist(), strict=True)),
        "faces_total": int(faces.sum()),
        "matched_faces": int(found.sum()),
        "accuracy": ratio(right.sum(), found.sum()),
        "recall_per_class": dict(zip(classes.NAMES, recall, strict=True)),
        "balanced_accuracy": mean(recall[:2]),
        "balanced_accuracy_95": interval(tables[:, :2, :-1].sum(2)),
        "balanced_accuracy_missed_is_error": mean(recall_all[:2]),
        "balanced_accuracy_missed_is_error_95": interval(tables[:, :2].sum(2)),
        "macro_recall_three_classes": mean(recall),
        "macro_recall_three_classes_missed_is_error": mean(recall_all),
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


def ratio(part: Any, whole: Any) -> float | None:
    """A share to four digits; None of nothing."""
    return round(float(part) / float(whole), 4) if whole else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean to four digits; None where one of the values is."""
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
            told = measure(part["label"].tolist(), part["answer"].tolist(), units=groups, seed=seed, resamples=500)
            key = "balanced_accuracy_missed_is_error"
            low, high = told[f"{key}_95"] or (None, None)
            right = float((part["label"] == part["answer"]).mean())
            rows.append((name, str(value), len(part), right, told[key], low, high))
    return pd.DataFrame(rows, columns=["slice", "value", "faces", "accuracy", "balanced_accuracy", "low", "high"])
