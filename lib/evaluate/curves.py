"""What a threshold trades: ROC and precision-recall, each class against the others, with areas and intervals."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes
from .detection import Answers, ranked
from .intervals import bootstrap

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["curves", "precisions"]

log = logging.getLogger(__name__)
POINTS = 200  # of a curve, at most: a figure shows no more


def curves(
    labels: Sequence[str], probabilities: np.ndarray, *, units: Sequence[Any], resamples: int = 300, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """ROC and precision-recall of each class by its probability: {class: {faces, auc, auc_95, ap, ap_95, roc, pr}}.

    probabilities (n, 3) in the order of `classes.NAMES`; units (n,): what is drawn anew for the intervals. ap is the
    step-wise average precision; roc holds (false, true positive rate), pr (recall, precision). A class that no face
    has, or that all have, has None and no points.
    """
    true = np.array([classes.index(name) for name in labels], int)
    probabilities = np.asarray(probabilities, float).reshape(-1, len(classes.NAMES))
    how = {"units": list(units), "resamples": resamples, "seed": seed}
    return {name: _curve(true == c, probabilities[:, c], how) for c, name in enumerate(classes.NAMES)}


def _curve(own: np.ndarray, score: np.ndarray, how: Mapping[str, Any]) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    if not 0 < own.sum() < len(own):
        none = dict.fromkeys(("auc", "auc_95", "ap", "ap_95"))
        return {"faces": int(own.sum()), **none, "roc": [], "pr": []}

    def drawn(area: Callable) -> Callable[[np.ndarray], float | None]:
        return lambda w: float(area(own, score, sample_weight=w)) if w[own].sum() and w[~own].sum() else None

    units, more = how["units"], {k: v for k, v in how.items() if k != "units"}
    precision, recall, _ = precision_recall_curve(own, score, drop_intermediate=True)
    false, right, _ = roc_curve(own, score)
    return {
        "faces": int(own.sum()),
        "auc": round(float(roc_auc_score(own, score)), 4),
        "auc_95": bootstrap(drawn(roc_auc_score), units, **more),
        "ap": round(float(average_precision_score(own, score)), 4),
        "ap_95": bootstrap(drawn(average_precision_score), units, **more),
        "roc": _thinned(false, right),
        "pr": _thinned(recall[::-1], precision[::-1]),
    }


def _thinned(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    """At most POINTS points of a curve, its ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return np.stack([x[kept], y[kept]], 1).round(4).tolist()


def precisions(
    truth: "pd.DataFrame", answers: Answers, *, min_side: float = 0, resamples: int = 300, seed: int = 0
) -> dict[str, Any]:
    """AP50 (VOC, all points) of each class and their means over two classes and three, with intervals over photos.

    {"ap50": {class: value}, "ap50_95": {class: [low, high]}, "map50_with_without", "map50_with_without_95", …}.
    """
    sets = [ranked(truth, answers, name, min_side=min_side) for name in classes.NAMES]
    photos = int(max((s.photos for s in sets), default=0))
    orders = [np.argsort(-s.scores, kind="stable") for s in sets]
    shares = np.full(max(photos, 1), 1 / max(photos, 1))
    drawn = np.random.default_rng(seed).multinomial(photos, shares, size=resamples)[:, :photos]
    weights = np.concatenate([np.ones((1, photos), int), drawn])
    values = np.array([[_weighted(s, o, w) for s, o in zip(sets, orders, strict=True)] for w in weights], float)
    report: dict[str, Any] = {"ap50": {}, "ap50_95": {}}
    for c, name in enumerate(classes.NAMES):
        report["ap50"][name], report["ap50_95"][name] = _with_ends(values[:, c])
    for key, columns in (("with_without", values[:, :2]), ("three_classes", values)):
        report[f"map50_{key}"], report[f"map50_{key}_95"] = _with_ends(columns.mean(1))
    return report


def _with_ends(values: np.ndarray) -> tuple[float | None, list[float] | None]:
    """The first value, and where 95 % of the others lie."""
    if not np.isfinite(values[0]):
        return None, None
    known = values[1:][np.isfinite(values[1:])]
    ends = [round(float(v), 4) for v in np.percentile(known, [2.5, 97.5])] if len(known) else None
    return round(float(values[0]), 4), ends


def _weighted(ranks: Any, order: np.ndarray, weights: np.ndarray) -> float:
    """VOC average precision where each photo counts as often as it was drawn; NaN without faces."""
    faces = float((ranks.faces * weights).sum())
    if not faces:
        return float("nan")
    counted = weights[ranks.photo[order]].astype(float)
    hits = np.cumsum(ranks.hits[order] * counted)
    precision = hits / np.maximum(np.cumsum(counted), 1e-9)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(hits / faces, prepend=0.0) * best).sum())
