"""A probe: what sharpness, size and JPEG quality of the crops that a network is shown still say about the class."""

import dataclasses
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .batches import shown
from .crops import view
from .plan import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["probe", "traces"]


def probe(
    table: "pd.DataFrame", crops: np.ndarray, *, plan: Plan | None = None, epochs: int = 3, seed: int = 0
) -> "pd.DataFrame":
    """What a small classifier makes of `traces` alone: rows of crops ('plain', 'augmented'), faces, balanced_accuracy.

    crops: wide ones, as `fit` takes them. Five folds by group (by image where there are none), classes weighed alike;
    column chance is what guessing gives, low and high hold it for 95 % of tables whose labels are shuffled by group.
    'augmented' are the crops of so many epochs as the plan shows them: where its figure is inside, the augmentation
    leaves nothing to learn from; 'plain' is what there was. What a mask does to the picture (it has less texture than a
    mouth) is part of both. Raises ValueError for fewer than two classes or five groups.
    """
    import pandas as pd

    plan = plan or Plan()
    labels, groups = _told(table)
    rows = np.arange(len(table))
    plain = np.stack([traces(c) for c in view(crops, size=plan.size, margin=plan.margin)])
    seeded = dataclasses.replace(plan, seed=plan.seed + seed)
    parts = [np.stack([traces(c) for c in shown(crops, rows, plan=seeded, epoch=e)]) for e in range(epochs)]
    report = []
    for name, values, times in (("plain", plain, 1), ("augmented", np.concatenate(parts), epochs)):
        y, g = np.tile(labels, times), np.tile(groups, times)
        low, high = np.quantile([_score(values, _shuffled(y, g, seed=s), g) for s in range(40)], (0.025, 0.975))
        report.append((name, len(labels), _score(values, y, g), 1 / len(set(labels)), float(low), float(high)))
    return pd.DataFrame(report, columns=["crops", "faces", "balanced_accuracy", "chance", "low", "high"])


def traces(rgb: np.ndarray) -> np.ndarray:
    """(6,) of a crop: sharpness, how much of it two, four and eight times less resolution would leave, JPEG's grid.

    All relative to the crop's contrast, so that light says nothing.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    spread = float(grey.std()) + 1.0
    values = [np.log(float(cv2.Laplacian(grey, cv2.CV_32F).std()) / spread + 1e-3)]
    for times in (2, 4, 8):
        wh = max(1, grey.shape[1] // times), max(1, grey.shape[0] // times)
        low = cv2.resize(cv2.resize(grey, wh, interpolation=cv2.INTER_AREA), grey.shape[::-1])
        values.append(np.log(float(np.abs(grey - low).mean()) / spread + 1e-3))
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        values.append(float(np.log((step[7::8].mean() + 0.1) / (step.mean() + 0.1))))
    return np.array(values, np.float32)


def _told(table: "pd.DataFrame") -> tuple[np.ndarray, np.ndarray]:
    labels = table["label"].to_numpy(str)
    known = "group" in table and table["group"].fillna("").astype(str).ne("").all()
    groups = np.unique(table["group" if known else "image"].astype(str), return_inverse=True)[1]
    if len(set(labels)) < 2 or len(set(groups)) < 5:
        raise ValueError(f"probe: needs two classes and five groups, got {len(set(labels))} and {len(set(groups))}")
    return labels, groups


def _score(values: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Mean recall of a small tree that answers groups it has not seen."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    tree: Any = DecisionTreeClassifier(max_depth=5, min_samples_leaf=10, class_weight="balanced", random_state=0)
    said = cross_val_predict(tree, values, labels, groups=groups, cv=GroupKFold(5))
    return float(balanced_accuracy_score(labels, said))


def _shuffled(labels: np.ndarray, groups: np.ndarray, *, seed: int) -> np.ndarray:
    """Labels dealt anew: every group gets that of another."""
    first = np.unique(groups, return_index=True)[1]
    dealt = np.random.default_rng(seed).permutation(labels[first])
    return dealt[groups]
